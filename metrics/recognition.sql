-- The proportion of images whose label equals the prompt's own variable of that name: the occupation that was asked for
-- is still recognised.
-- good: near 1
-- reads: labels, plan, targets
-- one row per: sweep, model, setting, prompt, variable, classifier
-- source: classification accuracy; Wilson, JASA 22 (1927)
-- range: 0 to 1
-- summary mean: recognition
with judged as (
    select
        plan.sweep, plan.model, plan.setting, plan.prompt, any_value(plan.prompt_name) as prompt_name,
        labels.attribute as variable, labels.classifier,
        count(*) as n,
        count(*) filter (labels.label = plan.variables[labels.attribute]) as recognised
    from (
        select image_id, attribute, classifier, label
        from labels
        anti join targets using (attribute)
    ) as labels
    join plan using (image_id)
    where plan.variables[labels.attribute] is not null
    group by plan.sweep, plan.model, plan.setting, plan.prompt, labels.attribute, labels.classifier
)
select
    sweep, model, setting, prompt, prompt_name, variable, classifier, n, recognised,
    recognised / n::double as recognition,
    wilson_low(recognised, n, z) as low,
    wilson_high(recognised, n, z) as high
from judged
cross join (select interval_z(confidence_level(), 1) as z)
