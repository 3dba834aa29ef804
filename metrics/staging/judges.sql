-- Which classifiers looked at which declared attributes of a sweep.
-- reads: plan, label_rows, meanings
-- one row per: sweep, attribute, classifier
with sweeps as (
    select hash(image_id) as image, hash(sweep) as sweep_key from plan
),
answers as (
    select hash(image_id) as image, judge_key(attribute, classifier) as judge from label_rows
),
looked as (
    select distinct sweep_key, judge from answers join sweeps using (image)
),
words as (
    select distinct sweep, attribute, classifier, judge from meanings
)
select words.* from words join looked on looked.judge = words.judge and looked.sweep_key = hash(words.sweep)
