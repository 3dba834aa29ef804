-- Whether a setting changed the shares of the images of the same seeds, against the unguided baseline: McNemar's exact
-- test for two groups, for more one per pair of groups that images went between; and over all prompts (prompt is null).
-- good: -
-- reads: pair_tallies
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier
-- source: McNemar, Psychometrika 12 (1947); Bowker, JASA 43 (1948); over all prompts Student's t over seeds
-- read: Pairs of which an image has no face, or none that is declared, are counted in pairs and flipped but not tested; those
-- of which one failed are not counted. More pairs of groups than one are
-- Bonferroni's. Images of one seed resemble each other under every prompt, so that over all prompts a seed counts once:
-- the null is that no group's share over these prompts changed. The family of a q-value is all prompts of a sweep,
-- model, setting, attribute and classifier; for all prompts together, all settings of a sweep, attribute and
-- classifier. low and high of flipped_share are for one prompt; over all prompts there is none.
with tallied as materialized (
    from pair_tallies
),
by_prompt as (
    select * from tallied where prompt is not null
),
totals as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        coalesce(sum(n) filter (seen), 0)::bigint as pairs,
        coalesce(sum(n) filter (seen and before <> after), 0)::bigint as flipped
    from (select *, 'failed' not in (before, after) as seen from by_prompt)
    group by all
),
opposed as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        coalesce(sum(n) filter (before < after), 0)::bigint as forth,
        coalesce(sum(n) filter (before > after), 0)::bigint as back
    from by_prompt
    where position_before is not null and position_after is not null and before <> after
    group by
        sweep, model, setting, versus, prompt, attribute, classifier, least(before, after), greatest(before, after)
),
-- Each pair of counts is tested once, however many prompts have it.
tails as (
    select forth, back, binomial_test(forth, forth + back, 0.5e0) as p from (select distinct forth, back from opposed)
),
exact as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        count(*) as tests, least(1e0, count(*) * min(p)) as p_value
    from opposed
    join tails using (forth, back)
    group by all
),
prompts as (
    select
        totals.*, coalesce(tests, 0) as tests, coalesce(p_value, 1e0) as p_value,
        case when tests is null then if(flipped = 0, 'no flips', 'no flips between groups') when tests = 1 then 'exact McNemar' else 'exact McNemar by pairs' end
            as test
    from totals
    left join exact using (sweep, model, setting, versus, prompt, attribute, classifier)
),
by_seed as (
    select * from tallied where seed is not null and position_before is not null and position_after is not null
),
-- Per seed and group: how many images more show it than did, and how many changed to or from it.
moved as (
    select
        sweep, model, setting, versus, attribute, classifier, seed, "group",
        sum(n * ((after = "group")::int - (before = "group")::int)) as total,
        sum(n * ((after = "group") <> (before = "group"))::int) as changed
    from by_seed
    cross join unnest([before, after]) as either("group")
    where before <> after
    group by all
),
seeds as (
    select sweep, model, setting, versus, attribute, classifier, seed, sum(n)::bigint as n,
        dense_rank() over (order by sweep, model, setting, versus, attribute, classifier) as cell
    from by_seed
    group by sweep, model, setting, versus, attribute, classifier, seed
),
parts as (
    select
        cell, "group" as part, seeds.seed, n, coalesce(total, 0) as total, coalesce(changed, 0)::double as null_variance,
        coalesce(changed, 0)::double as seen_variance
    from seeds
    join (select distinct sweep, model, setting, versus, attribute, classifier, "group" from moved) as known
        using (sweep, model, setting, versus, attribute, classifier)
    left join moved using (sweep, model, setting, versus, attribute, classifier, seed, "group")
),
pooled as (
    select
        sweep, model, setting, versus, null::varchar as prompt, attribute, classifier,
        sum(pairs)::bigint as pairs, sum(flipped)::bigint as flipped
    from totals
    group by all
),
together as (
    select
        pooled.*, coalesce(tests, 0) as tests, if(tests is null, 1e0, p_value) as p_value,
        case when tests is null then if(flipped = 0, 'no flips', 'no flips between groups') when p_value is null then 'one seed' else 't over seeds' end as test
    from pooled
    left join (
        select sweep, model, setting, versus, attribute, classifier, p_value, 1 as tests
        from seed_tests('parts', 1e0)
        join (select distinct sweep, model, setting, versus, attribute, classifier, cell from seeds) using (cell)
    ) using (sweep, model, setting, versus, attribute, classifier)
),
tested as (
    from prompts union all by name from together
)
select
    sweep, model, setting, versus, prompt, attribute, classifier, pairs, flipped,
    flipped / nullif(pairs, 0)::double as flipped_share,
    if(prompt is null, null, wilson_low(flipped, pairs, z)) as low,
    if(prompt is null, null, wilson_high(flipped, pairs, z)) as high,
    p_value, q_value, test,
    if(prompt is null, 'images of one seed are not independent over prompts', null) as reason
from q_values('tested', {
    'sweep': sweep, 'attribute': attribute, 'classifier': classifier, 'together': prompt is null,
    'model': if(prompt is null, null, model), 'setting': if(prompt is null, null, setting)
})
cross join (select interval_z(confidence_level(), 1) as z)
