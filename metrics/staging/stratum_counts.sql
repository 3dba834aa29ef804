-- How many images of a prompt, steered to the same groups, a classifier gave each label: unit_counts over all seeds.
-- reads: plan
-- one row per: stratum, attribute, classifier, label
with placed as not materialized (
    select
        sweep, null::bigint as seed_block, direction, hash(image_id) as image,
        prompt_key(sweep, model, setting, prompt) as cell,
        hash(sweep, model, setting, prompt, if(cardinality(direction) = 0, null, direction)) as unit
    from plan
)
from label_tallies('placed')
