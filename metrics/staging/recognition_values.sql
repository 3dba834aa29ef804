-- Whether an image's label equals the prompt's own variable of that name, for labels that no target declares. Which
-- those are is told before any row is kept, since most labels are of attributes with targets.
-- reads: label_rows_shown, plan, targets, readers
-- one row per: sweep, image, variable, classifier
with undeclared as (
    select attribute from (select distinct attribute from label_rows_shown) anti join targets using (attribute)
),
-- A label that failed counts until the same label succeeds.
told as (
    select image_id, attribute, classifier, any_value(label) filter (error is null) as label
    from label_rows_shown
    semi join undeclared using (attribute)
    group by image_id, attribute, classifier
)
select
    plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.seed, plan.image_id as image,
    told.attribute as variable, told.classifier,
    coalesce(told.label = plan.variables[told.attribute], false)::int as value
from told
join plan using (image_id)
semi join readers using (sweep, classifier)
where plan.variables[told.attribute] is not null
