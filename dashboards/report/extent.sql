-- What was asked for, and how much of it is there. What was imported belongs to no batch and has no variables.
with planned as (
    select *, batch is null and cardinality(variables) = 0 as elsewhere from plan where sweep = $sweep
)
select
    count(distinct model) as models, count(distinct setting) as settings, count(distinct prompt) as prompts,
    count(distinct seed) as seeds, count(*) filter (not elsewhere) as images_planned,
    count(made.image_id) filter (not elsewhere) as images_made, count(*) filter (elsewhere) as images_elsewhere
from planned
left join (select image_id from images where error is null) as made using (image_id)
