-- The mean of a prompt's images as it would be without one block of seeds, for figures that are means of single images.
-- `source` names a view or CTE of: sweep, model, setting, prompt, classifier, seed, value.
create or replace macro without_seeds(source) as table
with units as (
    select sweep, model, setting, prompt, classifier, seed_block, sum(value)::double as total, count(*) as n
    from query_table(source)
    join seed_blocks using (sweep, seed)
    where value is not null
    group by all
),
wholes as (
    select *, sum(total) over prompts as whole, sum(n) over prompts as images
    from units
    window prompts as (partition by sweep, model, setting, prompt, classifier)
)
select sweep, model, setting, prompt, classifier, seed_block, (whole - total) / nullif(images - n, 0) as value
from wholes
where images > n
