-- How many images of a unit a classifier gave each label. A unit is the images of a prompt that one block of seeds made,
-- steered to the same groups: what the intervals take apart. cell stands for the prompt, judge for prompt, attribute and
-- classifier. Labels that no group declares are rows of their own, each of them unknown.
-- reads: plan, seed_blocks, targets, label_rows
-- one row per: unit, attribute, classifier, label
with
-- 64-bit keys instead of text make the one large join and the one large aggregate several times faster.
placed as (
    select
        *, hash(image_id) as image, hash(sweep, model, setting, prompt) as cell,
        hash(sweep, model, setting, prompt, seed_block, if(cardinality(direction) = 0, null, direction)) as unit
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
    select hash(image_id) as image, answer_key(attribute, classifier, if(error is null, label, null)) as answer
    from label_rows
),
tallies as (
    select xor(unit, answer) as key, any_value(answer) as answer, count(*) as n
    from answers
    join (select image, unit from placed) using (image)
    group by key
),
-- What any row may say, one column at a time, which reads the files' own dictionaries; a label that failed is null.
dictionary as (
    select
        *, answer_key(attribute, classifier, label) as answer, hash(attribute, classifier) as judge
    from (select distinct attribute from label_rows)
    cross join (select distinct classifier from label_rows)
    cross join (select label from label_rows union select null)
),
meanings as (
    select
        declared.sweep, dictionary.*, targets.group is not null as declared,
        case when targets.group is not null or label = 'no_face' then label else 'unknown' end as outcome
    from dictionary
    join (select distinct sweep, attribute from targets) as declared using (attribute)
    left join targets
        on targets.sweep = declared.sweep and targets.attribute = dictionary.attribute and targets.group = label
),
answered as (
    select
        units.sweep, unit, cell, xor(cell, judge) as judge, seed_block, direction[attribute] as steered_to, attribute,
        classifier, outcome, declared, n
    from tallies
    join units on unit = xor(key, answer)
    join meanings on meanings.sweep = units.sweep and meanings.answer = tallies.answer
    where label is not null
),
judged as (
    select distinct units.sweep, attribute, classifier, judge
    from tallies
    join units on unit = xor(key, answer)
    join meanings on meanings.sweep = units.sweep and meanings.answer = tallies.answer
),
known as (
    select unit, judge, sum(n) as n from answered group by unit, judge
)
select * exclude (unit) from answered
union all
-- An image without any answer counts as failed, like one whose answer was an error.
select
    units.sweep, cell, xor(cell, judged.judge), seed_block, direction[attribute], attribute, classifier,
    'failed', false, images - coalesce(known.n, 0)::bigint
from units
join judged using (sweep)
left join known on known.unit = units.unit and known.judge = xor(cell, judged.judge)
where images > coalesce(known.n, 0)
