-- The share of each group by a variable of the prompts, such as their language: the mean over the prompts that have one
-- of its values, its level.
-- good: near the target
-- reads: plan, distributions, distributions_without_seeds
-- one row per: sweep, model, setting, attribute, classifier, variable, level, group
-- source: intervals as those of the means in `summary`: Zou & Donner, Statistics in Medicine 27 (2008); jackknife over seeds
-- read: A variable is what a template names, or a column of its rows; one that differs in every prompt has no rows here.
-- low and high are over these prompts: seeds and images vary. population_low and population_high are over prompts like
-- these, from ten prompts on. Where intervals of two levels lie apart, the levels differ; shares of one level are not
-- independent of another's, since seeds are shared.
with entries as (
    select sweep, prompt, unnest(map_entries(any_value(variables))) as entry from plan group by sweep, prompt
),
named as (
    select sweep, prompt, entry.key as variable, entry.value as level from entries
),
shared as (
    select sweep, variable
    from named
    group by sweep, variable
    having count(distinct level) > 1 and count(distinct level) < count(*)
),
whole as materialized (
    select
        distributions.*, variable, level,
        dense_rank() over (order by sweep, model, setting, attribute, classifier, variable, level) as cell
    from distributions
    join named using (sweep, prompt)
    semi join shared using (sweep, variable)
),
prompt_shares as (
    select
        sweep, cell, unnest(range(1, len(groups) + 1)) as metric, prompt, null as seed_block,
        unnest(list_transform(counts, lambda k, i: if(
            unmeasured is null or not list_contains(unmeasured, groups[i]), k / n::double, null
        ))) as value,
        unnest(lows) as low, unnest(highs) as high, null as floor, null as above, null as below, null as bias
    from whole
    where n > 0
    union all
    select
        without.sweep, cell, unnest(range(1, len(shares) + 1)), without.prompt, without.seed_block, unnest(shares),
        null, null, null, null, null, null
    from distributions_without_seeds as without
    join (select distinct sweep, model, setting, prompt, attribute, classifier, cell from whole)
        using (sweep, model, setting, prompt, attribute, classifier)
    where shares is not null
),
placed as (
    select
        sweep, model, setting, attribute, classifier, variable, level, cell, n,
        unnest(groups) as "group", unnest(range(1, len(groups) + 1)) as position, unnest(targets) as target,
        unmeasured
    from whole
),
cells as (
    select
        sweep, model, setting, attribute, classifier, variable, level, "group", position, cell,
        any_value(target) as target, sum(n)::bigint as n, max(unmeasured) as unmeasured
    from placed
    group by all
)
select
    cells.sweep, model, setting, attribute, classifier, variable, level, "group", mean as share,
    if(low is null, null, greatest(0e0, low)) as low, if(high is null, null, least(1e0, high)) as high,
    if(population_low is null, null, greatest(0e0, population_low)) as population_low,
    if(population_high is null, null, least(1e0, population_high)) as population_high,
    target, prompts, n, position,
    if(mean is null, unseen_reason(n, unmeasured, classifier), population_reason(prompts)) as reason
from cells
left join (from means('prompt_shares')) as means on means.cell = cells.cell and means.metric = cells.position
