-- Figures that are means of single images: counted by 64-bit keys, in blocks of seeds, and put together from these. cell is
-- the key of a prompt, reader that of a classifier.

-- The cosine of two embeddings; null for those of unlike lengths, and where one is nothing but zeros.
create or replace macro cosine_of(one, other) as
    if(len(one) = len(other), nullif(list_cosine_similarity(one, other), 'nan'), null);

-- The cosines between embeddings of pairs of images, by block of seeds. `source` names a CTE of: unit, seed, image, other.
create or replace macro cosine_tallies(source) as table
with embedded as (
    select hash(image_id) as image, hash(classifier) as reader, embedding from features where embedding is not null
),
-- One key of image and reader: two would let DuckDB join by the reader alone first, which is nearly a cross product.
others as (
    select xor(image, reader) as embedded, embedding
    from embedded
    where image in (select other from query_table(source))
),
cosines as (
    select cell_names.cell, reader, seed_block, cosine_of(embedded.embedding, others.embedding) as value
    from query_table(source) as pairs
    join embedded using (image)
    join others on others.embedded = xor(other, reader)
    join cell_names on cell_names.cell = unit
    join seed_blocks using (sweep, seed)
)
select cell, reader, seed_block, count(value) as n, avg(value) as mean, var_pop(value) as variance
from cosines
group by cell, reader, seed_block
having count(value) > 0;

-- The mean and the standard deviation of a prompt's images. `source` names a CTE of: cell, reader, seed_block, n,
-- mean, variance (that of the n).
create or replace macro pooled(source) as table
with wholes as (
    select *, sum(n * mean) over prompt / sum(n) over prompt as whole
    from query_table(source)
    window prompt as (partition by cell, reader)
),
prompts as (
    select
        cell, reader, sum(n)::bigint as n, any_value(whole) as mean,
        sqrt(sum(n * (variance + (mean - whole) ** 2)) / nullif(sum(n) - 1, 0)) as spread
    from wholes
    group by cell, reader
)
select sweep, model, setting, prompt, prompt_name, classifier, n, mean, spread
from prompts
join cell_names using (cell)
join readers using (sweep)
where hash(classifier) = reader;

-- The mean of a prompt's images as it would be without one block of seeds. `source` as above.
create or replace macro without_seeds(source) as table
with wholes as (
    select cell, reader, seed_block, n, n * mean as total, sum(n * mean) over prompt as whole, sum(n) over prompt as images
    from query_table(source)
    window prompt as (partition by cell, reader)
)
select sweep, model, setting, prompt, classifier, seed_block, (whole - total) / (images - n) as value
from wholes
join cell_names using (cell)
join readers using (sweep)
where hash(classifier) = reader and images > n and seed_block is not null
