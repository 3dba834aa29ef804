-- What became of every image that was tried, for each declared attribute and each classifier that looked at it: a declared
-- group, or no_face, unknown (the classifier said something that no group declares), failed (the image failed, or has no
-- label, be it not yet).
-- reads: plan, targets, label_rows, judges
-- one row per: sweep, image, attribute, classifier
select
    plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, plan.image_id, plan.seed,
    judges.attribute, judges.classifier,
    case
        when answers.label is null then 'failed'
        when targets.group is not null or answers.label = 'no_face' then answers.label
        else 'unknown'
    end as outcome,
    targets.position,
    plan.direction[judges.attribute] as steered_to
from plan
join judges using (sweep)
left join (select image_id, attribute, classifier, label from label_rows where error is null) as answers
    on answers.image_id = plan.image_id
    and answers.attribute = judges.attribute
    and answers.classifier = judges.classifier
left join targets
    on targets.sweep = plan.sweep
    and targets.attribute = judges.attribute
    and targets.group = answers.label
