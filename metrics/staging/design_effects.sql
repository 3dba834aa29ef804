-- How much more the pooled shares of a cell vary than those of as many independent images, because images of one seed
-- resemble each other and prompts differ: the design effect, averaged over the groups.
-- reads: seed_counts
-- one row per: sweep, model, setting, attribute, classifier
-- source: Kish, Survey Sampling (1965); Rao & Scott, JASA 76 (1981)
-- Seeds vary, prompts do not. With one seed it is not known, and null; without seeds (imported counts) it is 1. It is
-- held above 1/2: few seeds that agree too well are no proof.
with placed as (
    select
        sweep, model, setting, attribute, classifier, seed, n, unnest(counts) as count,
        unnest(range(1, len(counts) + 1)) as place
    from seed_counts
),
shared as (
    select *, sum(count) over cell / nullif(sum(n) over cell, 0)::double as share, sum(n) over cell as total
    from placed
    window cell as (partition by sweep, model, setting, attribute, classifier, place)
),
parts as (
    select
        sweep, model, setting, attribute, classifier, place, count(seed) as seeds, bool_or(seed is null) as seedless,
        sum((count - n * share) ** 2) / any_value(total)::double ** 2 * count(seed) / nullif(count(seed) - 1, 0)
            as seed_variance,
        any_value(share * (1 - share) / total) as variance
    from shared
    group by all
)
select
    sweep, model, setting, attribute, classifier, max(seeds) as seeds,
    case
        when bool_or(seedless) then 1e0
        when max(seeds) < 2 then null
        else greatest(0.5e0, coalesce(sum(seed_variance) / nullif(sum(variance), 0), 1e0))
    end as design_effect,
    if(bool_or(seedless), interval_z(confidence_level(), 1), student_bound(1 - confidence_level(), max(seeds) - 1)) as t
from parts
group by all
