-- How many images of a prompt, steered to the same groups, a classifier gave each label: unit_counts over all seeds.
-- reads: plan, image_answers
-- one row per: stratum, attribute, classifier, label
with placed as not materialized (
    select
        sweep, null::bigint as seed_block, direction, hash(image_id) as image,
        prompt_key(sweep, model, setting, prompt) as cell,
        unit_key(
            sweep, model, setting, prompt, null, if(cardinality(direction) = 0, null, direction)
        ) as unit
    from plan
),
tallies as (
    select xor(unit, answer) as key, any_value(answer) as answer, count(*) as n
    from image_answers
    join (select image, unit from placed) using (image)
    group by key
)
from label_tallies('placed', 'tallies')
