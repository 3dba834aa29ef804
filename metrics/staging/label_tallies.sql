-- How many images of each unit a classifier gave each label. `source` names a view or CTE of: image, unit (64-bit keys),
-- sweep, cell, seed_block, direction; the images of a unit have all but the first in common.
create or replace macro label_tallies(source) as table
with units as (
    select
        unit, any_value(sweep) as sweep, any_value(cell) as cell, any_value(seed_block) as seed_block,
        any_value(direction) as direction, count(*) as images
    from query_table(source)
    group by unit
),
answers as (
    select hash(image_id) as image, answer_key(attribute, classifier, if(error is null, label, null)) as answer
    from label_rows
),
-- 64-bit keys instead of text make the one large join and the one large aggregate several times faster.
tallies as (
    select xor(unit, answer) as key, any_value(answer) as answer, count(*) as n
    from answers
    join (select image, unit from query_table(source)) using (image)
    group by key
),
placed as (
    select units.*, meanings.* exclude (sweep), n
    from tallies
    join units on unit = xor(key, tallies.answer)
    join meanings on meanings.sweep = units.sweep and meanings.answer = tallies.answer
),
judged as (
    select distinct sweep, attribute, classifier, judge from placed
),
known as (
    select unit, judge, sum(n) as n from placed where label is not null group by unit, judge
)
select
    sweep, cell, xor(cell, judge) as judge, seed_block, direction[attribute] as steered_to, attribute, classifier,
    outcome, declared, n
from placed
where label is not null
union all
-- An image without any answer counts as failed, like one whose answer was an error.
select
    units.sweep, cell, xor(cell, judge), seed_block, direction[attribute], attribute, classifier, 'failed', false,
    images - coalesce(known.n, 0)::bigint
from units
join judged using (sweep)
left join known using (unit, judge)
where images > coalesce(known.n, 0)
