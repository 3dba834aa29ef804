-- What more guidance buys and costs: the mean distance to the target over the guidance's own scale, the unguided
-- baseline at scale 0.
-- good: falling
-- reads: total_variation, settings, distributions_without_seeds, measured_prompts
-- one row per: sweep, model, method, setting, attribute, classifier
-- source: dose-response over the edit scale of SEGA, Brack et al., arXiv 2301.12247
-- read: slope is the change of the distance per unit of scale since the next smaller scale of the method; null where not the
-- same prompts show a group at both.
with doses as (
    select sweep, model, setting, method, scale from settings where scale is not null and not baseline
    union all
    select distinct settings.sweep, settings.model, settings.setting, guided.method, 0e0
    from settings
    join settings as guided using (sweep, model)
    where settings.baseline and not guided.baseline and guided.scale is not null
),
cells as (
    select
        *, dense_rank() over (order by sweep, model, setting, attribute, classifier) as cell
    from total_variation
),
values as (
    select
        sweep, cell, 'distance' as metric, prompt, null as seed_block, total_variation as value, low, high,
        noise_floor as floor, chance_left(noise_floor, low) as above, null as below, null as bias
    from cells
    union all
    select
        sweep, cell, 'distance', prompt, seed_block, total_variation_of(shares, targets), null, null, null, null, null,
        null
    from distributions_without_seeds
    join (select distinct sweep, model, setting, attribute, classifier, cell from cells)
        using (sweep, model, setting, attribute, classifier)
),
means as (
    from means('values')
),
measured as (
    select
        doses.sweep, doses.model, method, setting, attribute, classifier, scale, mean, low, high, population_low,
        population_high, prompts, prompts_key
    from doses
    join (select distinct sweep, model, setting, attribute, classifier, cell from cells) using (sweep, model, setting)
    join means using (cell)
    left join measured_prompts using (sweep, model, setting, attribute, classifier)
),
-- Settings of one scale are one point of the curve: their mean, from which the next scale's slope is taken.
points as (
    select
        sweep, model, method, attribute, classifier, scale,
        lag(avg(mean)) over dose as mean_before, lag(scale) over dose as scale_before,
        lag(if(min(prompts_key) = max(prompts_key), min(prompts_key), null)) over dose as key_before
    from measured
    group by sweep, model, method, attribute, classifier, scale
    window dose as (partition by sweep, model, method, attribute, classifier order by scale)
)
select
    sweep, model, method, setting, attribute, classifier, scale,
    mean as total_variation, if(low is null, null, greatest(0e0, low)) as low,
    if(high is null, null, least(1e0, high)) as high,
    if(population_low is null, null, greatest(0e0, population_low)) as population_low,
    if(population_high is null, null, least(1e0, population_high)) as population_high, prompts,
    population_reason(prompts) as reason,
    if(prompts_key = key_before, (mean - mean_before) / (scale - scale_before), null) as slope
from measured
join points using (sweep, model, method, attribute, classifier, scale)
