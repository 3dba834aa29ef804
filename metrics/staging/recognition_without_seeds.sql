-- The recognition of a prompt without one block of seeds, for the intervals of its mean.
-- reads: recognition_values, seed_blocks
-- one row per: sweep, model, setting, prompt, classifier, seed_block
from without_seeds('recognition_values')
