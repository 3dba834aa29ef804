-- Where each image stands, as 64-bit numbers: unit is its prompt, cell its setting, scene its model and prompt, place its
-- model, prompt and seed; baseline: of the unguided setting that the model's others are compared with. A seed that a cell
-- names more than once has no place: which image would be whose is not known.
-- reads: plan, settings
-- one row per: sweep, image
with baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
)
select
    any_value(hash(image_id)) as image, any_value(prompt_key(sweep, model, setting, prompt)) as unit,
    any_value(setting_key(sweep, model, setting)) as cell, any_value(seed) as seed,
    any_value(setting = versus) as baseline, any_value(hash(hash(sweep), hash(model), hash(prompt))) as scene,
    hash(hash(sweep), hash(model), hash(prompt), seed) as place
from plan
join baselines using (sweep, model)
where seed is not null
group by place, hash(setting)
having count(*) = 1
