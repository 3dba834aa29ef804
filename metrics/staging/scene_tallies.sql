-- How alike each image and the unguided one of its seed are, by block of seeds.
-- reads: image_pairs, features, cell_names, seed_blocks
-- one row per: prompt, classifier, seed_block
with pairs as materialized (
    from image_pairs
)
from cosine_tallies('pairs')
