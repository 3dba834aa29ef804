-- How alike two images of a prompt are anyway: the mean cosine between the embeddings of a setting's image and the
-- unguided image of the same model and prompt with the next seed.
-- good: -
-- reads: scene_tallies
-- one row per: sweep, model, setting, prompt, classifier
-- source: the floor of scene_similarity
-- summary mean: scene_floor
-- read: scene_similarity is to be read between this floor, where nothing of the unguided image is kept, and 1. Null for a
-- prompt with one seed. Each image is compared with one other, so that the cost does not grow with the square of seeds.
with tallies as (
    from scene_tallies where floor
)
select sweep, model, setting, prompt, prompt_name, classifier, n, mean as scene_floor from pooled('tallies')
