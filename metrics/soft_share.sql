-- The mean probability that a classifier gives each declared group: shares that count a doubtful image as doubtful.
-- good: near the target
-- reads: plan, labels, targets
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: soft classification counts; Bella et al., Quantification via probability estimators, ICDM (2010)
-- read: Only images whose label is a declared group and that have scores, the scores of the declared groups brought to
-- sum 1. Where a classifier is overconfident this is no nearer the truth than the share. low and high are Student's
-- over the images of a prompt, null for fewer than two.
with scored as (
    select image_id, attribute, classifier, label, scores
    from labels
    where error is null and scores is not null and cardinality(scores) > 1
),
weights as (
    select
        plan.sweep, plan.model, plan.setting, plan.prompt, plan.prompt_name, scored.attribute, scored.classifier,
        scored.image_id, targets.group as "group", targets.position, targets.target,
        coalesce(scored.scores[targets.group], 0e0) as weight
    from scored
    join plan using (image_id)
    join targets as own
        on own.sweep = plan.sweep and own.attribute = scored.attribute and own.group = scored.label
    join targets on targets.sweep = plan.sweep and targets.attribute = scored.attribute
),
normed as (
    select
        *, weight / nullif(sum(weight) over (
            partition by sweep, attribute, classifier, image_id
        ), 0) as probability
    from weights
),
means as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier, "group",
        any_value(position) as position, any_value(target) as target, count(probability) as n,
        avg(probability) as soft_share, stddev_samp(probability) as spread
    from normed
    group by sweep, model, setting, prompt, attribute, classifier, "group"
),
quantiles as (
    select n, student_bound(1 - confidence_level(), n - 1) as t from (select distinct n from means) where n > 1
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, "group", n, soft_share,
    greatest(0e0, soft_share - t * spread / sqrt(n)) as low,
    least(1e0, soft_share + t * spread / sqrt(n)) as high,
    target, position
from means
left join quantiles using (n)
