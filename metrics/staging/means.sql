-- Means over prompts, with two intervals: over these prompts (seeds and images vary) and over prompts like these (the
-- prompts vary too). Closed forms, no draws: the same figures always.

-- Student's t quantile of the confidence level, whose z is given: exact for 1 and 2 degrees of freedom, else by Cornish
-- and Fisher's expansion (Abramowitz & Stegun 26.7.5), within 1 % from 3 on.
create or replace macro student_quantile_(z, df) as case
    when df is null then z
    when df < 1.5e0 then tan(pi() * confidence_level() / 2)
    when df < 2.5e0 then confidence_level() * sqrt(2e0 / (1e0 - confidence_level() ** 2))
    else z + (z ** 3 + z) / (4e0 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96e0 * df ** 2)
        + (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384e0 * df ** 3)
end;
create or replace macro student_quantile(z, df) as list_transform([df], lambda df_: student_quantile_(z, df_))[1];

-- By how much z squared variances of a value that lies at the border of what it can be by chance alone, the absolute value of
-- a normal deviate of mean 1, exceed its mean square, which is all that its own interval reaches back to the border.
create or replace macro border_variance() as interval_z(confidence_level(), 1) ** 2 * (pi() / 2 - 1) - pi() / 2;

-- `source` names a view or CTE of: sweep, cell (of one sweep alone), metric, prompt, seed_block, value, low, high, floor, above, below,
-- bias. A row without a seed_block is that prompt's value with its own interval; one with a seed_block is the value without that
-- block's seeds.
-- above and below say how much a prompt's value may lie above and below its truth by chance alone, on average (a
-- distance is never below 0, so that few images push it up); null or 0 where the value is unbiased. low and high leave that
-- out, but for the border of what the value can be. Whatever has a floor is
-- allowed the bias that the jackknife shows as well. bias is the most by which few images move a value whatever its truth, up
-- if above 0 and down if below: an entropy is too low at any shares, by more than eight blocks of few images can tell.
-- Over these prompts: what the prompts' own intervals say where images are independent (MOVER: Zou & Donner, Statistics in
-- Medicine 27, 2008), and what sharing seeds adds to that: by how much the delete-a-group jackknife of the mean, whose seeds
-- all prompts share, varies more than the prompts' own jackknives would together.
-- Of a sweep that stops by looking the prompts' own intervals are averaged, and not joined as if independent: a prompt's value
-- lies a little farther out where few images decided, on all prompts alike, which no number of prompts averages out.
-- Over prompts like these: Student's interval over the prompts' values, with what sharing seeds adds; from
-- `prompts_for_population()` prompts on, else null.
create or replace macro means(source) as table
with given as (
    select
        sweep, cell, metric, prompt, seed_block, value::double as value, low::double as low, high::double as high,
        floor::double as floor, coalesce(above, 0)::double as above, coalesce(below, 0)::double as below,
        coalesce(bias, 0)::double as bias
    from query_table(source)
    where value is not null
),
looked as (
    select distinct sweep, true as looked from decisions where kind = 'stop'
),
cells as (
    select
        any_value(sweep) as sweep, cell, metric, avg(value) as mean, count(*) as prompts, any_value(low) as low_one, any_value(high) as high_one,
        avg(floor) as floor, avg(above) as above, avg(below) as below, avg(bias) as bias, max(above + below) > 0 or count(floor) > 0 as biased,
        sum((value - low) ** 2 + border_variance() * above ** 2) / count(*) ** 2 as reach_low,
        sum((high - value) ** 2 + border_variance() * below ** 2) / count(*) ** 2 as reach_high,
        avg(value - low) ** 2 as mean_reach_low, avg(high - value) ** 2 as mean_reach_high,
        coalesce(sum((value - low) ** 2 + border_variance() * above ** 2) filter (above + below > 0), 0)
            / count(*) ** 2 as border_low,
        coalesce(sum((high - value) ** 2 + border_variance() * below ** 2) filter (above + below > 0), 0)
            / count(*) ** 2 as border_high,
        var_samp(value) filter (isfinite(value)) / count(*) as prompt_variance
    from given
    where seed_block is null
    group by cell, metric
),
blocks as (
    select cell, metric, seed_block, avg(value) as value
    from given
    where seed_block is not null and isfinite(value)
    group by cell, metric, seed_block
),
seeds as (
    select
        cell, metric, count(*) as blocks, avg(value) as mean_without,
        (count(*) - 1) * var_pop(value) as seed_variance
    from blocks
    group by cell, metric
    having count(*) > 1
),
-- The same variance were no seed shared: each prompt's own jackknife; inside: of the prompts that are not at the border.
apart as (
    select
        cell, metric, sum(variance) / count(variance) ** 2 as apart_variance,
        coalesce(sum(variance) filter (not border), 0) / nullif(count(variance), 0) ** 2 as inside_variance
    from (
        select
            cell, metric, prompt, max(above + below) > 0 as border,
            (count(seed_block) - 1) * var_pop(value) filter (seed_block is not null) as variance
        from given
        where isfinite(value)
        group by cell, metric, prompt
    )
    group by cell, metric
),
varied as (
    select
        * replace (
            if(looked, greatest(reach_low, mean_reach_low), reach_low) as reach_low,
            if(looked, greatest(reach_high, mean_reach_high), reach_high) as reach_high
        ),
        interval_z(confidence_level(), 1) as z, coalesce(looked, false) as stops,
        greatest(0e0, coalesce(seed_variance - coalesce(apart_variance, 0e0), 0e0)) as shared_variance
    from cells
    left join seeds using (cell, metric)
    left join apart using (cell, metric)
    left join looked using (sweep)
),
halves as (
    select
        *,
        coalesce(student_quantile(z, blocks - 1) * sqrt(shared_variance), 0e0) as shared_half,
        -- Intervals of few images are askew, and many of them together are not. Null: nothing tells how seeds vary.
        coalesce(student_quantile(z, (blocks - 1) * prompts) ** 2 * inside_variance, if(blocks is null, null, 0e0)) as inside,
        student_quantile(z, (prompt_variance + shared_variance) ** 2 / nullif(
            prompt_variance ** 2 / (prompts - 1) + coalesce(shared_variance ** 2 / (blocks - 1), 0e0), 0
        )) * sqrt(prompt_variance + shared_variance) as sampled_half,
        if(stops, sqrt(sampled_half ** 2 + coalesce(greatest(reach_low, reach_high), 0e0)), sampled_half) as prompt_half,
        greatest(above, bias, if(biased, coalesce((blocks - 1) * (mean_without - mean), 0e0), 0e0)) as chance_above,
        greatest(below, -bias, if(biased, coalesce((blocks - 1) * (mean - mean_without), 0e0), 0e0)) as chance_below
    from varied
),
bounds as (
    select
        *,
        if(prompts = 1, low_one - above, mean - chance_above - sqrt(greatest(reach_low, border_low + inside) + shared_half ** 2)) as low,
        if(prompts = 1, high_one + below, mean + chance_below + sqrt(greatest(reach_high, border_high + inside) + shared_half ** 2)) as high
    from halves
)
select
    sweep, cell, metric, mean, prompts,
    if(isfinite(mean), low, null) as low, if(isfinite(mean), high, null) as high,
    if(isfinite(mean) and prompts >= prompts_for_population(), least(low, mean - chance_above - prompt_half), null)
        as population_low,
    if(isfinite(mean) and prompts >= prompts_for_population(), greatest(high, mean + chance_below + prompt_half), null)
        as population_high,
    floor, mean - above + below as without_chance, shared_half, prompt_half, stops
from bounds;

-- Agresti and Coull's interval of a share whose variance is given by the half width of its symmetric interval, as of so
-- many independent images (Korn & Graubard, Survey Methodology 24, 1998): never beyond 0 or 1, and skewed as it should be.
create or replace macro score_bounds_(p, a) as struct_pack(
    low := greatest(0e0, (p + a / 2e0) / (1e0 + a) - sqrt((p + a / 2e0) / (1e0 + a) * (1e0 - (p + a / 2e0) / (1e0 + a)) * a / (1e0 + a))),
    high := least(1e0, (p + a / 2e0) / (1e0 + a) + sqrt((p + a / 2e0) / (1e0 + a) * (1e0 - (p + a / 2e0) / (1e0 + a)) * a / (1e0 + a)))
);
create or replace macro score_bounds(p, half) as if(
    p > 0 and p < 1, score_bounds_(p, half ** 2 / (p * (1e0 - p))), struct_pack(low := p, high := p)
);
