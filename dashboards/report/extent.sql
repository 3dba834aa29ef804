-- What was asked for, and how much of it is there.
select
    count(distinct model) as models, count(distinct setting) as settings, count(distinct prompt) as prompts,
    count(distinct seed) as seeds, count(*) as images_planned, count(made.image_id) as images_made
from plan
left join (select image_id from images where error is null) as made using (image_id)
where sweep = $sweep
