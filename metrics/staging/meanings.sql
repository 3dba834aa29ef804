-- What each word that a classifier may say of an attribute means to a sweep: a declared group, no_face, or unknown (no
-- group declares it); a label that failed is null. Words are taken from one column at a time, which reads the files' own
-- dictionaries.
-- reads: targets, label_rows, readers
-- one row per: sweep, attribute, classifier, label
with words as (
    select attribute, label
    from (select distinct attribute from label_rows)
    cross join (select label from label_rows union select null)
)
select
    declared.sweep, words.attribute, classifier, label, answer_key(words.attribute, classifier, label) as answer,
    judge_key(words.attribute, classifier) as judge, targets.group is not null as declared, targets.position,
    case
        when label is null then 'failed'
        when targets.group is not null or label = 'no_face' then label
        else 'unknown'
    end as outcome
from words
join (select distinct sweep, attribute from targets) as declared using (attribute)
join readers on readers.sweep = declared.sweep
left join targets
    on targets.sweep = declared.sweep and targets.attribute = words.attribute and targets.group = label
