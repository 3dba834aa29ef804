-- How alike the images of a group are under a prompt: the mean cosine of their embeddings, pair by pair, and how many
-- different images they amount to (Vendi score of order 2).
-- good: low cosine, high Vendi score
-- reads: features, plan, image_answers
-- one row per: sweep, model, setting, prompt, attribute, classifier, image_classifier, group
-- source: Friedman & Dieng, arXiv 2210.02410; order 2: Pasarkar & Dieng, arXiv 2310.12952
-- read: mean_cosine is over pairs of different images, and does not grow with their number. vendi is 1 over the mean of
-- the squared cosines, an image with itself included: from 1 (all the same) to n (nothing in common); compare it at
-- equal n. Of more than homogenisation_images() those are compared whose ids have the least hashes, and n is how many.
with embedded as (
    select hash(image_id) as image, hash(classifier) as reader from features where embedding is not null
),
placed as (
    select hash(image_id) as image, prompt_key(sweep, model, setting, prompt) as cell from plan
),
-- 64-bit keys instead of text, as in unit_tallies; the embeddings come to those that are compared alone.
compared as (
    select cell, reader, answer, min(image, homogenisation_images()) as images
    from embedded
    join placed using (image)
    join image_answers using (image)
    group by cell, reader, answer
),
cells as (
    select *, hash(cell, reader, answer) as key, len(images) as n from by_group('compared')
),
chosen as (
    select key, reader, unnest(images) as image from cells
),
seen as (
    select key, image, embedding
    from chosen
    join (select hash(image_id) as image, hash(classifier) as reader, embedding from features) using (image, reader)
    where embedding is not null
),
-- Each pair once.
pairs as (
    select key, cosine_of(one.embedding, other.embedding) as cosine
    from seen as one
    join seen as other using (key)
    where one.image < other.image
),
sums as (
    select key, avg(cosine) as mean_cosine, sum(cosine ** 2) as squares from pairs group by key
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, image_classifier, "group", n, mean_cosine,
    n ** 2 / (n + 2 * coalesce(squares, 0)) as vendi
from cells
left join sums using (key)
