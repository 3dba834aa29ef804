-- How many images of a unit a classifier gave each label. A unit is the images of a prompt that one block of seeds made,
-- steered to the same groups: what the intervals take apart. cell stands for the prompt, judge for prompt, attribute and
-- classifier. Labels that no group declares are rows of their own, each of them unknown.
-- reads: plan, seed_blocks, unit_tallies
-- one row per: unit, attribute, classifier, label
with placed as not materialized (
    select
        sweep, seed_block, direction, prompt_key(sweep, model, setting, prompt) as cell,
        unit_key(
            sweep, model, setting, prompt, seed_block, if(cardinality(direction) = 0, null, direction)
        ) as unit
    from plan
    left join seed_blocks using (sweep, seed)
),
tallies as (
    select key, answer, n from unit_tallies where not by_seed
)
from label_tallies('placed', 'tallies')
