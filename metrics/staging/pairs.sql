-- Every image beside the image of the baseline with the same model, prompt and seed. A seed that a cell names more than
-- once pairs with nothing: which image would be whose is not known.
-- reads: plan, settings
-- one row per: sweep, image
with baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
),
placed as (
    select
        any_value(image_id) as image_id, any_value(sweep) as sweep, any_value(model) as model,
        any_value(setting) as setting, any_value(prompt) as prompt, any_value(prompt_name) as prompt_name,
        any_value(seed) as seed
    from plan
    where seed is not null
    group by hash(sweep, model, setting, prompt, seed)
    having count(*) = 1
)
select other.*, versus, unguided.image_id as unguided_id
from placed as other
join baselines on baselines.sweep = other.sweep and baselines.model = other.model and baselines.versus <> other.setting
join placed as unguided
    on unguided.sweep = other.sweep and unguided.model = other.model and unguided.setting = versus
    and unguided.prompt = other.prompt and unguided.seed = other.seed
