-- How alike the images of a group are under a prompt: the mean cosine of their embeddings, pair by pair, and how many
-- different images they amount to (Vendi score of order 2).
-- good: low cosine, high Vendi score
-- reads: features, outcomes, readers
-- one row per: sweep, model, setting, prompt, attribute, classifier, image_classifier, group
-- source: Friedman & Dieng, arXiv 2210.02410; order 2: Pasarkar & Dieng, arXiv 2310.12952
-- read: mean_cosine is over pairs of different images, and does not grow with their number. vendi is 1 over the mean of
-- the squared cosines, an image with itself included: from 1 (all the same) to n (nothing in common); compare it at
-- equal n. Of more than homogenisation_images() the first by their ids are compared, and n is how many.
with seen as (
    select
        outcomes.sweep, outcomes.model, outcomes.setting, outcomes.prompt, prompt_name, outcomes.attribute,
        outcomes.classifier, features.classifier as image_classifier, outcome as "group", embedding,
        hash(outcomes.sweep, model, setting, prompt, attribute, outcomes.classifier, features.classifier, outcome) as cell,
        row_number() over (partition by cell order by image_id) as place
    from features
    join outcomes using (image_id)
    semi join readers on readers.sweep = outcomes.sweep and readers.classifier = features.classifier
    where embedding is not null and position is not null
    qualify place <= homogenisation_images()
),
cells as (
    select
        cell, any_value(sweep) as sweep, any_value(model) as model, any_value(setting) as setting,
        any_value(prompt) as prompt, any_value(prompt_name) as prompt_name, any_value(attribute) as attribute,
        any_value(classifier) as classifier, any_value(image_classifier) as image_classifier,
        any_value("group") as "group", count(*) as n
    from seen
    group by cell
),
-- Each pair once.
pairs as (
    select cell, list_cosine_similarity(one.embedding, other.embedding) as cosine
    from seen as one
    join seen as other using (cell)
    where one.place < other.place
),
sums as (
    select cell, avg(cosine) as mean_cosine, sum(cosine ** 2) as squares from pairs group by cell
)
select
    cells.* exclude (cell), mean_cosine, n ** 2 / (n + 2 * coalesce(squares, 0)) as vendi
from cells
left join sums using (cell)
