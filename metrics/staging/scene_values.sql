-- The cosine between the embeddings of each image and of the unguided image of its model, prompt and seed.
-- reads: features, plan, settings, readers
-- one row per: sweep, image, classifier
with embedded as (
    select
        plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.seed, plan.image_id, classifier,
        embedding, baseline
    from features
    join plan using (image_id)
    join settings using (sweep, model, setting)
    semi join readers using (sweep, classifier)
    where embedding is not null
)
select
    guided.sweep, guided.model, guided.setting, guided.prompt, guided.prompt_name, guided.classifier, guided.seed,
    guided.image_id as image,
    if(len(guided.embedding) = len(unguided.embedding), list_cosine_similarity(guided.embedding, unguided.embedding), null)
        as value
from embedded as guided
join embedded as unguided using (sweep, model, prompt, seed, classifier)
where unguided.baseline and not guided.baseline
