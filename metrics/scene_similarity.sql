-- How much of the scene a setting keeps: the mean cosine between the embeddings of the guided and the unguided image of
-- the same model, prompt and seed.
-- good: near 1
-- reads: scene_tallies
-- one row per: sweep, model, setting, prompt, classifier
-- source: CLIP image-image cosine, as in InstructPix2Pix, arXiv 2211.09800
-- read: low and high are Student's, over this prompt: seeds and images vary; one pair has none.
-- range: -1 to 1
-- summary mean: scene_similarity
with tallies as (
    from scene_tallies where not floor
)
select sweep, model, setting, prompt, prompt_name, classifier, n, mean as scene_similarity, low, high, reason
from pooled('tallies')
