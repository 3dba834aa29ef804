-- The counts of a seed over all prompts of a cell, as lists over the declared groups in their declared order: what a
-- pooled figure varies by, since images of one seed resemble each other under every prompt. Images without a seed are one
-- row, whose seed is null.
-- reads: plan, targets, label_rows, readers, unit_tallies
-- one row per: sweep, model, setting, seed, attribute, classifier
with groups as (
    select sweep, attribute, list("group" order by position) as groups, list(target order by position) as targets
    from targets
    group by sweep, attribute
),
units as (
    select
        seed_key(sweep, model, setting, seed) as unit, any_value(sweep) as sweep, any_value(model) as model,
        any_value(setting) as setting, any_value(seed) as seed
    from plan
    group by unit
),
tallies as (
    select key, answer, n from unit_tallies where by_seed
),
dictionary as (
    select groups.*, classifier, list_position(groups, label) as place, answer_key(attribute, classifier, label) as answer
    from groups
    join readers using (sweep)
    cross join (select distinct label from label_rows where label is not null)
    where list_contains(groups, label)
)
select
    units.sweep, model, setting, seed, attribute, classifier, any_value(groups) as groups,
    any_value(targets) as targets,
    list_transform(range(1, len(any_value(groups)) + 1), lambda g: coalesce(
        list_sum(list_transform(list({'place': place, 'n': n}), lambda tally: if(tally.place = g, tally.n, 0))), 0
    )::bigint) as counts,
    sum(n)::bigint as n
from tallies
join units on units.unit = xor(key, answer)
join dictionary on dictionary.answer = tallies.answer and dictionary.sweep = units.sweep
group by units.sweep, model, setting, seed, attribute, classifier
