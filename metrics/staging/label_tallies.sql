-- How many images of each unit a classifier gave each label. `source` names a view or CTE with a row per image: unit (a
-- 64-bit key), sweep, cell, seed_block, direction, which the images of a unit have in common; `answered` one of: answer,
-- key (xor of unit and answer), n.
create or replace macro label_tallies(source, answered) as table
with units as (
    select *, hash(sweep, direction) as dealt
    from (
        select
            unit, any_value(sweep) as sweep, any_value(cell) as cell, any_value(seed_block) as seed_block,
            any_value(direction) as direction, count(*) as images
        from query_table(source)
        group by unit
    )
),
-- What is said, of whom, once for each direction that was dealt and not once for each unit.
words as (
    select dealt, direction[attribute] as steered_to, meanings.*
    from (select dealt, any_value(sweep) as sweep, any_value(direction) as direction from units group by dealt)
    join meanings using (sweep)
),
placed as (
    select unit, cell, seed_block, words.* exclude (answer, position), n
    from query_table(answered) as tallies
    join units on unit = xor(key, tallies.answer)
    join words on words.dealt = units.dealt and words.answer = tallies.answer
),
judged as (
    select distinct words.dealt, judge, attribute, classifier, steered_to
    from words
    semi join (
        select distinct sweep, judge from words semi join (select distinct dealt, judge from placed) using (dealt, judge)
    ) using (sweep, judge)
),
known as (
    select unit, judge, sum(n) as n from placed where label is not null group by unit, judge
)
select
    sweep, cell, xor(cell, judge) as judge, seed_block, steered_to, attribute, classifier, outcome, declared, n
from placed
where label is not null
union all
-- An image without any answer counts as failed, like one whose answer was an error.
select
    units.sweep, cell, xor(cell, judge), seed_block, steered_to, attribute, classifier, 'failed', false,
    images - coalesce(known.n, 0)::bigint
from units
join judged using (dealt)
left join known using (unit, judge)
where images > coalesce(known.n, 0)
