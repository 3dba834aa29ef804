-- How much of the scene a setting keeps: the mean cosine between the embeddings of the guided and the unguided image of
-- the same model, prompt and seed.
-- good: near 1
-- reads: features, plan, settings
-- one row per: sweep, model, setting, prompt, classifier
-- source: CLIP image-image cosine, as in InstructPix2Pix, arXiv 2211.09800
-- range: -1 to 1
-- summary mean: scene_similarity
with seen as (
    select
        plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.seed, classifier, embedding,
        baseline
    from features
    join plan using (image_id)
    join settings using (sweep, model, setting)
    where embedding is not null
),
similarities as (
    select
        guided.sweep, guided.model, guided.setting, guided.prompt, any_value(guided.prompt_name) as prompt_name,
        guided.classifier,
        count(*) as n,
        avg(list_cosine_similarity(guided.embedding, unguided.embedding)) as scene_similarity,
        stddev_samp(list_cosine_similarity(guided.embedding, unguided.embedding)) as spread
    from seen as guided
    join seen as unguided using (sweep, model, prompt, seed, classifier)
    where unguided.baseline and not guided.baseline
    group by guided.sweep, guided.model, guided.setting, guided.prompt, guided.classifier
)
select
    sweep, model, setting, prompt, prompt_name, classifier, n, scene_similarity,
    scene_similarity - z * spread / sqrt(n) as low,
    scene_similarity + z * spread / sqrt(n) as high
from similarities
cross join (select interval_z(confidence_level(), 1) as z)
