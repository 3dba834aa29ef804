-- The Bayesian bootstrap (Rubin, Annals of Statistics 9, 1981): every resampled unit gets an exponential weight.

-- A number in (0, 1) that depends on the text alone, in every version of DuckDB.
create or replace macro uniform_draw(text) as (md5_number_upper(text)::double + 0.5e0) / 18446744073709551616e0;

-- Student's t quantile by Cornish and Fisher's expansion (Abramowitz & Stegun 26.7.5).
create or replace macro student_quantile_(z, df) as
    z + (z ** 3 + z) / (4e0 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96e0 * df ** 2)
    + (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384e0 * df ** 3);
create or replace macro sorted_quantile_(sorted, place) as
    sorted[1 + floor(place)::bigint] * (1e0 - place % 1) + sorted[1 + ceil(place)::bigint] * (place % 1);

-- Means over prompts with an interval that resamples prompts as clusters: each carries all its seeds, and one draw of
-- weights serves every cell of a sweep, so that differences between settings stay paired.
-- `source` names a view or CTE of: sweep, cell, metric, prompt, value, low, high. Where there is nothing to resample
-- (one prompt, or all alike) the mean of the prompts' own low and high stands.
-- The replicates are one product of two matrices, cells x prompts and prompts x replicates.
create or replace macro bootstrap(source, replicates := bootstrap_replicates(), level := confidence_level()) as table
with given as (
    select sweep, cell, metric, prompt, value::double as value, low, high
    from query_table(source)
    where value is not null
),
slots as (
    select sweep, prompt, row_number() over (partition by sweep order by prompt) as slot
    from (select distinct sweep, prompt from given)
),
weights as (
    select sweep, replicate, list(-ln(uniform_draw(prompt || ' ' || replicate)) order by slot) as weights
    from slots, range(replicates) as replicates(replicate)
    group by sweep, replicate
),
cells as (
    select sweep, cell, metric, avg(value) as mean, count(*) as prompts, avg(low) as low, avg(high) as high,
        min(value) = max(value) as constant
    from given
    group by sweep, cell, metric
),
vectors as (
    select
        sweep, cell, metric,
        list(coalesce(value, 0e0) order by slot) as values,
        list(if(value is null, 0e0, 1e0) order by slot) as present
    from cells
    join slots using (sweep)
    left join given using (sweep, cell, metric, prompt)
    where not constant
    group by sweep, cell, metric
),
replicated as (
    select
        sweep, cell, metric,
        list_sort(list(list_dot_product(values, weights) / list_dot_product(present, weights))) as draws
    from vectors
    join weights using (sweep)
    group by sweep, cell, metric
),
-- Few clusters make percentiles too narrow; Hesterberg's expanded percentiles (The American Statistician 69, 2015).
sizes as (
    select prompts, student_quantile_(z, prompts - 1) * sqrt((prompts + 1e0) / (prompts - 1e0)) as width
    from (select distinct prompts, interval_z(level, 1) as z from cells where prompts > 1)
),
places as (
    select prompts, (replicates - 1) * normal_cdf(-width) as place from sizes
)
select
    sweep, cell, metric, mean, prompts,
    if(constant, low, least(mean, sorted_quantile_(draws, place))) as low,
    if(constant, high, greatest(mean, sorted_quantile_(draws, replicates - 1 - place))) as high
from cells
left join places using (prompts)
left join replicated using (sweep, cell, metric)
