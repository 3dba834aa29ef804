-- Every image that starts from a picture, beside the group that the picture shows: the one that it is known to show, else
-- what the same classifier reads off it. An image whose picture shows no declared group is left out. cell and setting are
-- the keys of its prompt and its setting, source that of its picture.
-- reads: plan, judges, label_rows, meanings, targets
-- one row per: sweep, image, attribute, classifier
with images as (
    select
        hash(image_id) as image, prompt_key(sweep, model, setting, prompt) as cell,
        setting_key(sweep, model, setting) as setting, hash(source) as source, hash(sweep, source) as picture
    from plan
    where source is not null
),
pictures as (
    select sweep, hash(sweep, source) as picture, any_value(hash(source)) as source, any_value(source_groups) as groups
    from plan
    where source is not null
    group by sweep, picture
),
-- 64-bit keys instead of text, as in unit_tallies: who says it of which image in one, and what.
answers as (
    select xor(image, judge) as said, any_value(answer) as answer
    from (
        select
            hash(image_id) as image, judge_key(attribute, classifier) as judge,
            answer_key(attribute, classifier, label) as answer
        from label_rows
        where error is null and label is not null
    )
    where image in (select image from images union select source from images)
    group by said
),
shown as (
    select picture, judges.sweep, judges.attribute, judges.classifier, targets.group as before
    from pictures
    join judges using (sweep)
    left join answers on said = xor(source, judge_key(judges.attribute, judges.classifier))
    left join meanings on meanings.sweep = judges.sweep and meanings.answer = answers.answer
    join targets
        on targets.sweep = judges.sweep and targets.attribute = judges.attribute
        and targets.group = coalesce(groups[judges.attribute], meanings.label)
)
select
    shown.sweep, cell, setting, image, source, shown.attribute, shown.classifier, before,
    coalesce(outcome, 'failed') as after, position as position_after
from images
join shown using (picture)
left join answers on said = xor(image, judge_key(shown.attribute, shown.classifier))
left join meanings on meanings.sweep = shown.sweep and meanings.answer = answers.answer
