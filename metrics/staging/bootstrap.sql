-- The Bayesian bootstrap (Rubin, Annals of Statistics 9, 1981): every resampled unit gets an exponential weight.

-- A number in (0, 1) that depends on the text alone, in every version of DuckDB.
create or replace macro uniform_draw(text) as (md5_number_upper(text)::double + 0.5e0) / 18446744073709551616e0;

-- Student's t quantile by Cornish and Fisher's expansion (Abramowitz & Stegun 26.7.5).
create or replace macro student_quantile_(z, df) as
    z + (z ** 3 + z) / (4e0 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96e0 * df ** 2)
    + (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384e0 * df ** 3);
create or replace macro sorted_quantile_(sorted, place) as
    sorted[1 + floor(place)::bigint] * (1e0 - place % 1) + sorted[1 + ceil(place)::bigint] * (place % 1);

-- Means over prompts with an interval that resamples prompts, as clusters, and seeds, which all prompts and settings
-- share. One draw of weights serves every cell of a sweep, so that differences between settings stay paired.
-- `source` names a view or CTE of: sweep, cell, metric, prompt, seed_block, value, low, high. A row with a prompt is that
-- prompt's value; one with a seed_block is the mean over prompts without that block's seeds. Where there is nothing to
-- resample (one prompt, or all alike) the mean of the prompts' own low and high stands.
-- A replicate is the weighted mean of the prompts plus the weighted mean of the blocks' jackknife pseudo-values (Tukey,
-- 1958; Shao & Tu, The Jackknife and Bootstrap, 1995), so that its variance is the sum over both ways of resampling, as
-- in Owen's pigeonhole bootstrap (Annals of Applied Statistics 1, 2007): wide by what is chance in a single image.
-- The replicates are one product of two matrices, cells x units and units x replicates.
create or replace macro bootstrap(source, replicates := bootstrap_replicates(), level := confidence_level()) as table
with given as (
    select sweep, cell, metric, prompt, seed_block, value::double as value, low, high
    from query_table(source)
    where value is not null
),
prompts as (
    select * exclude (seed_block) from given where prompt is not null
),
cells as (
    select sweep, cell, metric, avg(value) as mean, count(*) as prompts, avg(low) as low, avg(high) as high,
        min(value) as lowest, max(value) as highest,
        var_samp(value) filter (isfinite(value)) / count(*) as variance
    from prompts
    group by sweep, cell, metric
),
blocks as (
    select
        sweep, cell, metric, seed_block,
        (count(*) over whole - 1) * (avg(value) over whole - value) as pseudo_value
    from given
    where seed_block is not null and isfinite(value)
    window whole as (partition by sweep, cell, metric)
),
block_cells as (
    select sweep, cell, metric, count(*) as blocks, var_samp(pseudo_value) / count(*) as block_variance
    from blocks
    group by sweep, cell, metric
),
resampled as (
    select *, coalesce(blocks, 0) as seed_blocks, coalesce(block_variance, 0e0) as seed_variance
    from cells
    left join block_cells using (sweep, cell, metric)
    where lowest < highest
),
slots as (
    select *, row_number() over (partition by sweep, kind order by unit) as slot
    from (
        select distinct sweep, 'prompt' as kind, prompt as unit from prompts
        union all
        select distinct sweep, 'seeds', seed_block::varchar from blocks
    )
),
weights as (
    select sweep, kind, replicate,
        list(-ln(uniform_draw(if(kind = 'seeds', 'seeds ', '') || unit || ' ' || replicate)) order by slot) as weights
    from slots, range(replicates) as replicates(replicate)
    group by sweep, kind, replicate
),
prompt_vectors as (
    select
        sweep, cell, metric,
        list(coalesce(value, 0e0) order by slot) as values,
        list(if(value is null, 0e0, 1e0) order by slot) as present
    from resampled
    join slots using (sweep)
    left join (select sweep, cell, metric, prompt as unit, value from prompts) using (sweep, cell, metric, unit)
    where kind = 'prompt'
    group by sweep, cell, metric
),
block_vectors as (
    select
        sweep, cell, metric,
        list(coalesce(pseudo_value, 0e0) order by slot) as pseudo_values,
        list(if(pseudo_value is null, 0e0, 1e0) order by slot) as blocks_present
    from (select sweep, cell, metric from resampled where seed_blocks > 1)
    join slots using (sweep)
    left join (select sweep, cell, metric, seed_block::varchar as unit, pseudo_value from blocks)
        using (sweep, cell, metric, unit)
    where kind = 'seeds'
    group by sweep, cell, metric
),
replicated as (
    select
        sweep, cell, metric,
        list_sort(list(
            list_dot_product(values, by_prompt.weights) / list_dot_product(present, by_prompt.weights)
            + coalesce(
                list_dot_product(pseudo_values, by_seeds.weights) / list_dot_product(blocks_present, by_seeds.weights),
                0e0
            )
        )) as draws
    from prompt_vectors
    left join block_vectors using (sweep, cell, metric)
    join weights as by_prompt using (sweep)
    left join weights as by_seeds
        on by_seeds.sweep = prompt_vectors.sweep and by_seeds.replicate = by_prompt.replicate
        and by_seeds.kind = 'seeds' and pseudo_values is not null
    where by_prompt.kind = 'prompt'
    group by sweep, cell, metric
),
-- Few clusters make percentiles too narrow; Hesterberg's expanded percentiles (The American Statistician 69, 2015), with
-- Satterthwaite's degrees of freedom for the two ways together (Biometrics Bulletin 2, 1946).
degrees as (
    select
        sweep, cell, metric, interval_z(level, 1) as z,
        (variance + seed_variance) ** 2
            / nullif(variance ** 2 / (prompts - 1) + coalesce(seed_variance ** 2 / nullif(seed_blocks - 1, 0), 0e0), 0)
            as df,
        (variance * (prompts + 1) / (prompts - 1)
            + coalesce(seed_variance * (seed_blocks + 1) / nullif(seed_blocks - 1, 0), 0e0))
            / nullif(variance + seed_variance, 0) as expansion
    from resampled
),
widths as (
    select sweep, cell, metric, student_quantile_(z, df) * sqrt(expansion) as width from degrees
),
places as (
    select sweep, cell, metric, (replicates - 1) * normal_cdf(-width) as place from widths
)
select
    sweep, cell, metric, mean, prompts,
    -- A mean never leaves the range of what it is a mean of.
    if(lowest = highest, low, least(mean, greatest(lowest, sorted_quantile_(draws, place)))) as low,
    if(lowest = highest, high, greatest(mean, least(highest, sorted_quantile_(draws, replicates - 1 - place)))) as high
from cells
left join places using (sweep, cell, metric)
left join replicated using (sweep, cell, metric)
