-- How alike the embeddings are of each guided image and of the unguided one of its seed, and (floor) of each image and of
-- the unguided one of the next seed, by block of seeds.
-- reads: placed_images, features, cell_names, seed_blocks
-- one row per: floor, prompt, classifier, seed_block
with placed as (
    select image, unit, baseline, scene, place, seed, seed_block
    from placed_images
    join cell_names on cell_names.cell = unit
    join seed_blocks using (sweep, seed)
),
unguided as (
    select
        place, image,
        if(count(*) over prompt > 1, coalesce(lead(image) over seeds, first(image) over seeds), null) as next
    from placed
    where baseline
    window prompt as (partition by scene), seeds as (partition by scene order by seed)
),
pairs as materialized (
    select unit, seed_block, placed.image, unnest([unguided.image, next]) as other, unnest([false, true]) as floor
    from placed
    join unguided using (place)
),
embedded as (
    select hash(image_id) as image, hash(classifier) as reader, embedding from features where embedding is not null
),
-- One key of image and reader: two would let DuckDB join by the reader alone first, which is nearly a cross product.
others as (
    select xor(image, reader) as embedded, embedding from embedded where image in (select other from pairs)
),
cosines as (
    select
        floor, unit as cell, reader, seed_block, cosine_of(embedded.embedding, others.embedding) as value
    from pairs
    join embedded using (image)
    join others on others.embedded = xor(other, reader)
    -- The unguided image is not compared with itself.
    where pairs.image <> other
)
select floor, cell, reader, seed_block, count(value) as n, avg(value) as mean, var_pop(value) as variance
from cosines
group by floor, cell, reader, seed_block
having count(value) > 0
