-- How well images show their prompt, by block of seeds.
-- reads: features, plan, seed_blocks
-- one row per: prompt, classifier, seed_block
with scores as (
    select hash(image_id) as image, hash(classifier) as reader, score::double as value from features where score is not null
),
placed as (
    select hash(image_id) as image, prompt_key(sweep, model, setting, prompt) as cell, seed_block
    from plan
    left join seed_blocks using (sweep, seed)
)
select cell, reader, seed_block, count(*) as n, avg(value) as mean, var_pop(value) as variance
from scores
join placed using (image)
group by cell, reader, seed_block
