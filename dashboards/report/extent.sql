-- What was asked for, how much of it is there, and how much is still to be made. What was imported belongs to no batch and has no variables.
with asked as (
    select *, batch is null and cardinality(variables) = 0 as elsewhere from planned where sweep = $sweep
)
select
    count(distinct model) as models, count(distinct setting) as settings, count(distinct prompt) as prompts,
    count(distinct seed) as seeds, count(*) filter (not elsewhere) as images_planned,
    count(made.image_id) filter (not elsewhere) as images_made, count(*) filter (elsewhere) as images_elsewhere,
    (select count(*) from asked) - (select count(*) from plan where sweep = $sweep) as images_pending
from asked
left join (select image_id from images where error is null) as made using (image_id)
