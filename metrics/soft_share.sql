-- The mean probability that a classifier gives each declared group: shares that count a doubtful image as doubtful.
-- good: near the target
-- reads: plan, label_rows, targets, readers, cell_names, unmeasured
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: soft classification counts; Bella et al., Quantification via probability estimators, ICDM (2010)
-- read: Only images whose label is a declared group and that have scores, the scores of the declared groups brought to
-- sum 1. Where a classifier is overconfident this is no nearer the truth than the share. low and high are Student's
-- over the images of a prompt, null for fewer than two.
with declared as (
    select
        sweep, attribute, list("group" order by position, "group") as groups,
        list(target order by position, "group") as targets, list(position order by position, "group") as positions
    from targets
    group by sweep, attribute
),
scored as (
    select
        prompt_key(sweep, model, setting, prompt) as cell, attribute, classifier,
        list_transform(groups, lambda g: coalesce(scores[g], 0e0)) as weights
    from label_rows
    join plan using (image_id)
    join declared using (sweep, attribute)
    semi join readers using (sweep, classifier)
    where error is null and cardinality(scores) > 1 and list_contains(groups, label)
),
normed as (
    select
        cell, attribute, classifier, judge_key(attribute, classifier) as judge,
        unnest(range(1, len(weights) + 1)) as place,
        unnest(list_transform(weights, lambda w: w / nullif(list_sum(weights), 0))) as probability
    from scored
),
means as (
    select
        cell, any_value(attribute) as attribute, any_value(classifier) as classifier, place, count(probability) as n,
        avg(probability) as soft_share, stddev_samp(probability) as spread
    from normed
    group by cell, judge, place
),
quantiles as (
    select n, student_bound(1 - confidence_level(), n - 1) as t from (select distinct n from means) where n > 1
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, groups[place] as "group", n, soft_share,
    if(t is null, null, greatest(0e0, soft_share - t * spread / sqrt(n))) as low,
    if(t is null, null, least(1e0, soft_share + t * spread / sqrt(n))) as high,
    targets[place] as target, positions[place] as position, spread_reason(n, 'image') as reason
from means
join cell_names using (cell)
join declared using (sweep, attribute)
left join quantiles using (n)
anti join unmeasured
    on unmeasured.sweep = cell_names.sweep and unmeasured.attribute = means.attribute
    and unmeasured.classifier = means.classifier and unmeasured.group = groups[place]
