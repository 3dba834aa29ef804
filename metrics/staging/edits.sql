-- Every image that starts from a picture, beside the group that the picture shows: the one that it is known to show, else
-- what the same classifier reads off it. An image whose picture shows no declared group is left out.
-- reads: plan, outcomes, label_rows, targets
-- one row per: sweep, image, attribute, classifier
with known as (
    select distinct sweep, image_id, source, source_groups from plan where source is not null
),
answers as (
    select distinct image_id as source, attribute, classifier, label
    from label_rows
    where error is null and image_id in (select source from known)
)
select
    outcomes.sweep, outcomes.model, outcomes.setting, outcomes.prompt, outcomes.prompt_name, outcomes.attribute,
    outcomes.classifier, outcomes.image_id, known.source, targets.group as before, outcomes.outcome as after,
    targets.position as position_before, outcomes.position as position_after
from outcomes
join known using (sweep, image_id)
left join answers using (source, attribute, classifier)
join targets
    on targets.sweep = outcomes.sweep and targets.attribute = outcomes.attribute
    and targets.group = coalesce(known.source_groups[outcomes.attribute], answers.label)
