-- The recognition of a prompt without one block of seeds, for the intervals of its mean.
-- reads: recognition_values, seed_blocks
-- one row per: sweep, model, setting, prompt, classifier, seed_block
with tallies as (
    select
        prompt_key(sweep, model, setting, prompt) as cell, hash(classifier) as reader, seed_block, count(*) as n,
        avg(value) as mean
    from recognition_values
    left join seed_blocks using (sweep, seed)
    group by cell, reader, seed_block
)
from without_seeds('tallies')
