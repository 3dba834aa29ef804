-- What became of every planned image, for each declared attribute and each classifier that looked at it: a declared
-- group, or no_face, unknown (the classifier said something that no group declares), failed (no image or no label yet).
-- reads: plan, targets, labels
-- one row per: sweep, image, attribute, classifier
with answers as (
    select image_id, attribute, classifier, if(error is null, label, null) as label from labels
),
judged as (
    select distinct plan.sweep, answers.attribute, answers.classifier
    from answers
    join plan using (image_id)
    semi join targets on targets.sweep = plan.sweep and targets.attribute = answers.attribute
)
select
    plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.image_id, plan.seed,
    judged.attribute, judged.classifier,
    case
        when answers.label is null then 'failed'
        when targets.group is not null or answers.label = 'no_face' then answers.label
        else 'unknown'
    end as outcome,
    targets.position,
    plan.direction[judged.attribute] as steered_to
from plan
join judged using (sweep)
left join answers
    on answers.image_id = plan.image_id
    and answers.attribute = judged.attribute
    and answers.classifier = judged.classifier
left join targets
    on targets.sweep = plan.sweep
    and targets.attribute = judged.attribute
    and targets.group = answers.label
