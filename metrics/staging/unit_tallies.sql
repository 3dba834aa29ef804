-- How often each answer was given to the images of a unit (as in unit_counts), and to those that one seed of a setting made:
-- one pass over plan and labels for both. key is the 64-bit number of unit and answer, or of seed and answer, as by_seed
-- says; 64-bit keys instead of text make the one large join and the one large aggregate several times faster.
-- reads: plan, seed_blocks, image_answers
-- one row per: key, by_seed
with placed as (
    select
        hash(image_id) as image, unit_key(
            sweep, model, setting, prompt, seed_block, if(cardinality(direction) = 0, null, direction)
        ) as unit,
        seed_key(sweep, model, setting, seed) as seed_unit
    from plan
    left join seed_blocks using (sweep, seed)
),
answered as (
    select xor(unit, answer) as unit, xor(seed_unit, answer) as seed, answer
    from image_answers
    join placed using (image)
)
select
    coalesce(unit, seed) as key, grouping(unit) = 1 as by_seed, any_value(answer) as answer, count(*) as n
from answered
group by grouping sets ((unit), (seed))
