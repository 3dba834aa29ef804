-- The scene similarity of a prompt without one block of seeds, for the intervals of its mean.
-- reads: scene_values, seed_blocks
-- one row per: sweep, model, setting, prompt, classifier, seed_block
from without_seeds('scene_values')
