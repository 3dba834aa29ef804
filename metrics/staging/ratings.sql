-- What each of several classifiers says of an image; nothing is read where an attribute has one classifier alone.
-- reads: plan, targets, label_rows, readers
-- one row per: sweep, image, attribute, classifier
with several as (
    select attribute
    from (select distinct attribute, classifier from label_rows where attribute <> '_image')
    group by attribute
    having count(*) > 1
),
answers as (
    select hash(image_id) as image, attribute, classifier, min(label) as label
    from label_rows
    semi join several using (attribute)
    where label is not null
    group by all
)
select
    plan.sweep, answers.image, answers.attribute, answers.classifier, answers.label,
    targets.position is not null as declared
from answers
join (select sweep, hash(image_id) as image from plan) as plan using (image)
join (select distinct sweep, attribute, classifier from targets join readers using (sweep)) as judged
    on judged.sweep = plan.sweep and judged.attribute = answers.attribute and judged.classifier = answers.classifier
left join targets
    on targets.sweep = plan.sweep and targets.attribute = answers.attribute and targets.group = answers.label
