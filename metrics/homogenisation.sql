-- How alike the images of a group are under a prompt: the mean cosine of their embeddings, pair by pair, and how many
-- different images they amount to (Vendi score of order 2).
-- good: low cosine, high Vendi score
-- reads: features, outcomes
-- one row per: sweep, model, setting, prompt, attribute, classifier, image_classifier, group
-- source: Friedman & Dieng, arXiv 2210.02410; order 2: Pasarkar & Dieng, arXiv 2310.12952
-- read: mean_cosine is over pairs of different images, and does not grow with their number. vendi is 1 over the mean of
-- the squared cosines, an image with itself included: from 1 (all the same) to n (nothing in common); compare it at
-- equal n.
with seen as (
    select
        outcomes.sweep, outcomes.model, outcomes.setting, outcomes.prompt, prompt_name, outcomes.attribute,
        outcomes.classifier, features.classifier as image_classifier, outcome as "group", image_id, embedding
    from features
    join outcomes using (image_id)
    where embedding is not null and position is not null
),
pairs as (
    select
        one.sweep, one.model, one.setting, one.prompt, any_value(one.prompt_name) as prompt_name, one.attribute,
        one.classifier, one.image_classifier, one.group as "group", count(distinct one.image_id) as n,
        avg(list_cosine_similarity(one.embedding, other.embedding)) filter (one.image_id <> other.image_id)
            as mean_cosine,
        avg(list_cosine_similarity(one.embedding, other.embedding) ** 2) as mean_square
    from seen as one
    join seen as other using (sweep, model, setting, prompt, attribute, classifier, image_classifier, "group")
    group by
        one.sweep, one.model, one.setting, one.prompt, one.attribute, one.classifier, one.image_classifier, one.group
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, image_classifier, "group", n, mean_cosine,
    1e0 / mean_square as vendi
from pairs
