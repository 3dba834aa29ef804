-- The alignment of a prompt without one block of seeds, for the intervals of its mean.
-- reads: prompt_alignment_tallies
-- one row per: sweep, model, setting, prompt, classifier, seed_block
with tallies as (
    from prompt_alignment_tallies
)
from without_seeds('tallies')
