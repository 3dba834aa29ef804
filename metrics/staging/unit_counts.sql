-- How many images of a unit had each outcome. A unit is the images of a prompt that one block of seeds made, steered to
-- the same groups: what the intervals take apart.
-- reads: plan, seed_blocks, targets, label_rows
-- one row per: unit, attribute, classifier, outcome
with
-- 64-bit keys instead of text make the one large join and the one large aggregate several times faster.
placed as (
    select
        *, hash(image_id) as image, hash(sweep, model, setting, prompt) as cell,
        hash(sweep, model, setting, prompt, seed_block, direction) as unit
    from plan
    left join seed_blocks using (sweep, seed)
),
units as (
    select
        unit, any_value(sweep) as sweep, any_value(cell) as cell, any_value(seed_block) as seed_block,
        any_value(direction) as direction, count(*) as images
    from placed
    group by unit
),
answers as (
    select hash(image_id) as image, answer_key(attribute, classifier, label) as answer from label_rows
),
tallies as (
    select xor(unit, answer) as key, any_value(answer) as answer, count(*) as n
    from answers
    join (select image, unit from placed) using (image)
    group by key
),
-- What any row may say, one column at a time, which reads the files' own dictionaries; a label that failed is null.
dictionary as (
    select *, answer_key(attribute, classifier, label) as answer
    from (select distinct attribute from label_rows)
    cross join (select distinct classifier from label_rows)
    cross join (select distinct label from label_rows)
    where attribute <> '_image'
),
answered as (
    select units.*, dictionary.attribute, classifier, label, targets.group as declared, n
    from tallies
    join dictionary using (answer)
    join units on units.unit = xor(key, tallies.answer)
    left join targets
        on targets.sweep = units.sweep
        and targets.attribute = dictionary.attribute
        and targets.group = label
),
judged as (
    select distinct sweep, attribute, classifier from answered semi join targets using (sweep, attribute)
),
answered_at_all as (
    select unit, attribute, classifier, sum(n) as n from answered where label is not null group by all
)
select
    sweep, cell, unit, seed_block, direction[attribute] as steered_to, attribute, classifier,
    case when declared is not null or label = 'no_face' then label else 'unknown' end as outcome,
    declared is not null as declared, sum(n)::bigint as n
from answered
semi join judged using (sweep, attribute, classifier)
where label is not null
group by all
union all
-- An image without any answer counts as failed, like one whose answer was an error.
select
    units.sweep, cell, units.unit, seed_block, direction[judged.attribute], judged.attribute, judged.classifier,
    'failed', false, images - coalesce(answered_at_all.n, 0)::bigint
from units
join judged using (sweep)
left join answered_at_all using (unit, attribute, classifier)
