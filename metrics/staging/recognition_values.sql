-- Whether an image's label equals the prompt's own variable of that name, for labels that no target declares.
-- reads: labels, plan, targets
-- one row per: sweep, image, variable, classifier
select
    plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.seed, plan.image_id as image,
    labels.attribute as variable, labels.classifier,
    coalesce(labels.label = plan.variables[labels.attribute], false)::int as value
from (
    select image_id, attribute, classifier, label
    from labels
    anti join targets using (attribute)
) as labels
join plan using (image_id)
where plan.variables[labels.attribute] is not null
