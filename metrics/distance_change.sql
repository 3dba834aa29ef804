-- The difference of a prompt's distance to the target between a setting and the unguided baseline of its model, over the
-- seeds where both show a group, negative where the setting is nearer the target.
-- good: below 0
-- reads: flips, targets, unmeasured
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier
-- source: paired differences by MOVER; Zou & Donner, Statistics in Medicine 27 (2008)
-- read: low and high are over this prompt: seeds and images vary. As many images on both sides make the two distances
-- comparable, whatever either setting lost. Each distance may be chance up to its noise floor (of independent images)
-- while its target lies within its interval, and low and high allow for it. The p-value is that interval's: below .05
-- where it excludes 0. The family of a q-value is all prompts of a sweep, model, setting, attribute and classifier.
with declared as (
    select
        sweep, attribute, list("group" order by position, "group") as groups,
        list(target order by position, "group") as targets
    from targets
    group by sweep, attribute
),
sides as (
    select
        sweep, model, setting, versus, prompt, prompt_name, attribute, classifier, n,
        unnest(['before', 'after']) as side, unnest(["before", "after"]) as outcome
    from flips
    where position_before is not null and position_after is not null
),
shown as (
    select * exclude (n), sum(n)::bigint as n from sides group by all
),
tallies as (
    select
        sweep, model, setting, versus, prompt, any_value(prompt_name) as prompt_name, attribute, classifier, side,
        sum(n)::bigint as n, list(outcome) as names, list(n) as counts
    from shown
    group by sweep, model, setting, versus, prompt, attribute, classifier, side
),
aligned as (
    select
        tallies.* exclude (names, counts), targets, align_counts(groups, names, counts) as counts,
        interval_z(confidence_level(), if(len(groups) > 2, len(groups), 1)) as z
    from tallies
    join declared using (sweep, attribute)
    anti join unmeasured using (sweep, attribute, classifier)
),
boxes as (
    select
        *, list_transform(counts, lambda k: k / n::double) as shares,
        list_transform(counts, lambda k: share_low(k, n, z)) as lows,
        list_transform(counts, lambda k: share_high(k, n, z)) as highs
    from aligned
),
distances as (
    select
        sweep, model, setting, versus, prompt, prompt_name, attribute, classifier, side, n,
        1e0 - list_min(targets) as farthest,
        total_variation_of(shares, targets) as distance,
        total_variation_of(toward(shares, targets, lows, highs), targets) as low,
        list_max(list_transform(extremes(shares, lows, highs), lambda p: total_variation_of(p, targets))) as high,
        expected_total_variation(targets, n) as floor
    from boxes
),
changes as (
    select
        sweep, model, setting, versus, prompt, prompt_name, attribute, classifier, after.n as pairs, after.farthest,
        "before".distance as distance_before, "after".distance as distance_after,
        "after".distance - "before".distance as distance_change,
        chance_left("after".floor, "after".low) as chance_above,
        chance_left("before".floor, "before".low) as chance_below,
        sqrt(("after".distance - "after".low) ** 2 + ("before".high - "before".distance) ** 2) as reach_below,
        sqrt(("after".high - "after".distance) ** 2 + ("before".distance - "before".low) ** 2) as reach_above
    from (from distances where side = 'after') as "after"
    join (from distances where side = 'before') as "before"
        using (sweep, model, setting, versus, prompt, prompt_name, attribute, classifier)
),
tested as (
    select
        * exclude (farthest, chance_above, chance_below, reach_below, reach_above),
        greatest(-farthest, distance_change - chance_above - reach_below) as low,
        least(farthest, distance_change + chance_below + reach_above) as high,
        change_test(distance_change, chance_above, chance_below, reach_below, reach_above) as p_value
    from changes
)
from q_values(
    'tested', {'sweep': sweep, 'model': model, 'setting': setting, 'attribute': attribute, 'classifier': classifier}
)
