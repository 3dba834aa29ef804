-- Figures that are means of single images: counted by 64-bit keys, in blocks of seeds, and put together from these. cell is
-- the key of a prompt, reader that of a classifier.

-- The cosine of two embeddings; null for those of unlike lengths, and where one is nothing but zeros.
create or replace macro cosine_of(one, other) as
    if(len(one) = len(other), nullif(list_cosine_similarity(one, other), 'nan'), null);

-- The mean of a prompt's images, and Student's interval over them. `source` names a CTE of: cell, reader, seed_block, n,
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
select
    sweep, model, setting, prompt, prompt_name, classifier, n, mean,
    mean - student_quantile(z, n - 1) * spread / sqrt(n) as low,
    mean + student_quantile(z, n - 1) * spread / sqrt(n) as high,
    spread_reason(n, 'image') as reason
from prompts
join cell_names using (cell)
join readers using (sweep)
cross join (select interval_z(confidence_level(), 1) as z)
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
where hash(classifier) = reader and images > n and seed_block is not null;

-- What is counted by prompt, reader and answer of the images, by its names. `source` names a CTE of: cell, reader, answer
-- (as in image_answers), and whatever is counted. Answers that are no declared group are left out.
create or replace macro by_group(source) as table
select
    counted.*, cell_names.* exclude (cell), meanings.attribute, meanings.classifier,
    readers.classifier as image_classifier, meanings.outcome as "group"
from query_table(source) as counted
join cell_names using (cell)
join meanings on meanings.sweep = cell_names.sweep and meanings.answer = counted.answer
join readers on readers.sweep = cell_names.sweep and hash(readers.classifier) = reader
where meanings.declared
