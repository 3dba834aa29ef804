-- How alike two images of a prompt are anyway: the mean cosine between the embeddings of a setting's image and the
-- unguided image of the same model and prompt with the next seed.
-- good: -
-- reads: features, plan, settings, readers
-- one row per: sweep, model, setting, prompt, classifier
-- source: the floor of scene_similarity
-- summary mean: scene_floor
-- read: scene_similarity is to be read between this floor, where nothing of the unguided image is kept, and 1. Null for a
-- prompt with one seed. Each image is compared with one other, so that the cost does not grow with the square of seeds.
with seen as (
    select
        plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.seed, classifier, embedding,
        baseline
    from features
    join plan using (image_id)
    join settings using (sweep, model, setting)
    semi join readers using (sweep, classifier)
    where embedding is not null and seed is not null
),
others as (
    select
        sweep, model, prompt, classifier, seed, embedding,
        count(*) over (partition by sweep, model, prompt, classifier) as seeds,
        coalesce(
            lead(embedding) over (partition by sweep, model, prompt, classifier order by seed),
            first(embedding) over (partition by sweep, model, prompt, classifier order by seed)
        ) as next
    from seen
    where baseline
)
select
    seen.sweep, seen.model, seen.setting, seen.prompt, any_value(seen.prompt_name) as prompt_name, seen.classifier,
    count(*) as n,
    avg(if(len(seen.embedding) = len(next), list_cosine_similarity(seen.embedding, next), null)) as scene_floor
from seen
join others using (sweep, model, prompt, classifier, seed)
where seeds > 1
group by seen.sweep, seen.model, seen.setting, seen.prompt, seen.classifier
