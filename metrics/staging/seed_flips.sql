-- Where the images of a seed went from the baseline's image of the same prompt and seed: what flips counts per prompt,
-- with the seed. Another pair of settings is compared by naming another baseline.
-- reads: pairs, outcomes
-- one row per: sweep, model, setting, versus, prompt, seed, attribute, classifier
select
    pairs.sweep, pairs.model, pairs.setting, versus, pairs.prompt, pairs.prompt_name, pairs.seed,
    other.attribute, other.classifier, unguided.outcome as before, other.outcome as after,
    unguided.position as position_before, other.position as position_after
from pairs
join outcomes as other on other.sweep = pairs.sweep and other.image_id = pairs.image_id
join outcomes as unguided
    on unguided.sweep = pairs.sweep and unguided.image_id = unguided_id
    and unguided.attribute = other.attribute and unguided.classifier = other.classifier
