-- The scene similarity of a prompt without one block of seeds, for the intervals of its mean.
-- reads: scene_tallies
-- one row per: sweep, model, setting, prompt, classifier, seed_block
with tallies as (
    from scene_tallies where not floor
)
from without_seeds('tallies')
