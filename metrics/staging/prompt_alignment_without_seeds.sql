-- The alignment of a prompt without one block of seeds, for the intervals of its mean.
-- reads: features, plan, readers, seed_blocks
-- one row per: sweep, model, setting, prompt, classifier, seed_block
with images as (
    select sweep, model, setting, prompt, classifier, seed, score as value
    from features
    join plan using (image_id)
    semi join readers using (sweep, classifier)
)
from without_seeds('images')
