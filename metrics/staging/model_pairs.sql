-- How many images of a seed show each group under two models of one setting, of the prompts of which both show a group: what
-- one has lost counts under neither. A seed that a cell names more than once pairs with nothing, as in pair_tallies.
-- reads: plan, settings, label_rows, meanings, targets, unmeasured
-- one row per: sweep, setting, model, versus, seed, attribute, classifier, group
with cells as (
    select
        setting_key(sweep, model, setting) as cell, sweep, model, setting, dense_rank() over (order by model) as number,
        count(*) over (partition by sweep, setting) as models
    from (select distinct sweep, model, setting from settings)
    qualify models > 1
),
-- 64-bit keys instead of text, as in unit_counts.
keyed as (
    select
        hash(image_id) as image, hash(sweep, setting, prompt, seed) as place, setting_key(sweep, model, setting) as cell,
        seed
    from plan
    where seed is not null and (sweep, setting) in (select (sweep, setting) from cells)
),
placed as (
    select any_value(image) as image, place, number, any_value(cell) as cell, any_value(seed) as seed
    from keyed
    join cells using (cell)
    group by place, number
    having count(*) = 1
),
words as (
    select sweep, answer, judge, attribute, classifier, label from meanings where declared
),
answers as (
    select hash(image_id) as image, answer_key(attribute, classifier, label) as answer
    from label_rows
    where error is null and label is not null
),
shown as (
    select place, number, cell, seed, judge, answer
    from answers
    join (select distinct answer, judge from words) using (answer)
    join placed using (image)
),
tallies as (
    select one.cell, other.cell as versus_cell, one.seed, one.answer, other.answer as other_answer, count(*) as n
    from shown as one
    join shown as other using (place, judge)
    where one.number < other.number
    group by all
)
select
    cells.sweep, cells.setting, cells.model, versus.model as versus, seed, said.attribute, said.classifier,
    targets.group as "group", coalesce(sum(n) filter (said.label = targets.group), 0)::bigint as count,
    coalesce(sum(n) filter (other.label = targets.group), 0)::bigint as other_count, sum(n)::bigint as n
from tallies
join cells using (cell)
join cells as versus on versus.cell = versus_cell
join words as said on said.sweep = cells.sweep and said.answer = tallies.answer
join words as other on other.sweep = cells.sweep and other.answer = other_answer
join targets on targets.sweep = cells.sweep and targets.attribute = said.attribute
anti join unmeasured
    on unmeasured.sweep = cells.sweep and unmeasured.attribute = said.attribute
    and unmeasured.classifier = said.classifier and unmeasured.group = targets.group
group by all
