-- The mean over prompts of each group's share, every prompt counting the same.
-- good: near the target
-- reads: distributions, distributions_without_seeds
-- one row per: sweep, model, setting, attribute, classifier, group
-- source: Price & Bonett, Computational Statistics & Data Analysis 45 (2004); jackknife over seeds, Kott (2001)
-- summary: map_from_entries(list(("group", mean_share) order by position)) as shares, max(reason) as reason
-- read: low and high are over these prompts: seeds and images vary. population_low and population_high are over prompts like
-- these, from ten prompts on: the prompts vary too; reason says why a figure is null. A group that the classifier cannot tell
-- is not measured, and the shares are over the other groups. Of a sweep that stops by looking low and high are the means of the
-- prompts' own, which hold at any look.
with whole as materialized (
    select
        *, dense_rank() over (order by sweep, model, setting, attribute, classifier) as cell,
        sum(len(strata)) over (partition by sweep, model, setting, attribute, classifier) as ways
    from distributions
),
shrunk as (
    select
        * exclude (centres, variances), unnest(groups) as "group", unnest(range(1, len(groups) + 1)) as place,
        if(n > 0, shrunken(strata, n, z_one, ways), null) as shrunk,
        unmeasured is null or not list_contains(unmeasured, groups[place]) as told
    from whole
),
centred as (
    select *, strata_centre(shrunk, place) as centre from shrunk
),
groups as (
    select *, strata_variance(shrunk, place, centre) as variance from centred
),
cells as (
    select
        sweep, model, setting, attribute, classifier, "group", place as position, any_value(cell) as cell,
        any_value(targets[place]) as target, sum(counts[place])::bigint as count, sum(n)::bigint as n,
        count(shrunk) as prompts, any_value(z_one) as z, max(unmeasured) as unmeasured,
        avg(centre) as centre, sqrt(sum(variance)) / nullif(count(shrunk), 0) as deviation
    from groups
    group by sweep, model, setting, attribute, classifier, "group", place
),
prompt_shares as (
    select
        sweep, cell, place as metric, hash(prompt) as prompt, null as seed_block, counts[place] / nullif(n, 0)::double as value,
        lows[place] as low, highs[place] as high, null as floor, null as above, null as below, null as bias
    from groups
    where told
    union all
    select
        without.sweep, cell, unnest(range(1, len(shares) + 1)), hash(without.prompt), without.seed_block, unnest(shares),
        null, null, null, null, null, null
    from distributions_without_seeds as without
    join (select distinct sweep, model, setting, attribute, classifier, cell from whole)
        using (sweep, model, setting, attribute, classifier)
),
measured as (
    select
        cells.*, mean, coalesce(shared_half, 0) as shared_half, prompt_half, population_low is not null as population,
        stops, means.low as least_mean, means.high as most_mean
    from cells
    left join (from means('prompt_shares')) as means on means.cell = cells.cell and means.metric = cells.position
),
bounds as (
    select
        *,
        if(mean is null, null, greatest(0e0, least(
            mean, if(stops, least_mean, centre - sqrt((z * deviation) ** 2 + shared_half ** 2))
        ))) as low,
        if(mean is null, null, least(1e0, greatest(
            mean, if(stops, most_mean, centre + sqrt((z * deviation) ** 2 + shared_half ** 2))
        ))) as high,
        score_bounds(mean, prompt_half) as wide
    from measured
)
select
    sweep, model, setting, attribute, classifier, "group", mean as mean_share, low, high,
    if(population, least(low, wide.low), null) as population_low,
    if(population, greatest(high, wide.high), null) as population_high,
    target, prompts, count, n, position,
    if(mean is null, unseen_reason(n, unmeasured, classifier), population_reason(prompts)) as reason
from bounds
