-- The joint shares of two attributes over the product of their declared groups, of the images that show both.
-- good: near the product of the targets
-- reads: counts, outcomes, targets
-- one row per: sweep, model, setting, attribute, other_attribute, classifier, group, other_group
-- source: intersectional fairness, Crenshaw (1989); simultaneous intervals: Goodman, Technometrics 7 (1965); design
-- effect: Rao & Scott, JASA 76 (1981)
-- read: A cell is sparse where fewer than 5 images would be expected on target: its share says little. The interval is
-- about more seeds of these prompts and counts a seed's images together; with one seed there is none.
with joint as (
    select
        one.sweep, one.model, one.setting, one.attribute, other.attribute as other_attribute, one.classifier,
        one.outcome as "group", other.outcome as other_group, one.seed, count(*) as count
    from outcomes as one
    join outcomes as other using (sweep, model, setting, image_id, classifier)
    where one.attribute < other.attribute and one.position is not null and other.position is not null
    group by all
),
seeds as (
    select sweep, model, setting, attribute, other_attribute, classifier, seed, sum(count)::bigint as n
    from joint
    group by all
),
totals as (
    select
        sweep, model, setting, attribute, other_attribute, classifier, sum(n)::bigint as n, count(seed) as seeds,
        bool_or(seed is null) as seedless
    from seeds
    group by all
),
counted as (
    select
        sweep, model, setting, attribute, other_attribute, classifier, "group", other_group,
        sum(count)::bigint as count
    from joint
    group by all
),
-- Over the seeds, (k - n share)^2 is k^2 - 2 k n share + n^2 share^2; a seed without the pair has k = 0.
squares as (
    select
        joint.sweep, joint.model, joint.setting, joint.attribute, joint.other_attribute, joint.classifier,
        "group", other_group, sum(count ** 2) as kk, sum(count * seeds.n) as kn
    from joint
    join seeds using (sweep, model, setting, attribute, other_attribute, classifier, seed)
    group by all
),
sizes as (
    select sweep, model, setting, attribute, other_attribute, classifier, sum(n ** 2) as nn from seeds group by all
),
effects as (
    select
        sweep, model, setting, attribute, other_attribute, classifier, any_value(seeds) as seeds,
        any_value(seedless) as seedless,
        sum(kk - 2 * kn * count / n + nn * (count / n) ** 2) * any_value(seeds / nullif(seeds - 1, 0)::double)
            / nullif(sum(count / n * (1 - count / n)) * any_value(n), 0) as estimate
    from (select * replace (n::double as n) from totals)
    join counted using (sweep, model, setting, attribute, other_attribute, classifier)
    join squares using (sweep, model, setting, attribute, other_attribute, classifier, "group", other_group)
    join sizes using (sweep, model, setting, attribute, other_attribute, classifier)
    group by all
),
cells as (
    select distinct
        one.sweep, one.model, one.setting, one.attribute, other.attribute as other_attribute, one.classifier
    from counts as one
    join counts as other using (sweep, model, setting, classifier)
    where one.attribute < other.attribute
),
possible as (
    select
        cells.*, one.group as "group", other.group as other_group, one.target * other.target as target,
        count(*) over (partition by cells) as possible
    from cells
    join targets as one on one.sweep = cells.sweep and one.attribute = cells.attribute
    join targets as other on other.sweep = cells.sweep and other.attribute = cells.other_attribute
),
dense as (
    select
        possible.*, coalesce(count, 0) as count, coalesce(n, 0) as n,
        case when seedless or n = 0 then 1e0 when seeds > 1 then greatest(0.5e0, coalesce(estimate, 1e0)) end
            as design_effect,
        if(
            seedless, interval_z(confidence_level(), possible),
            student_bound((1 - confidence_level()) / possible, seeds - 1)
        ) as quantile
    from possible
    left join totals using (sweep, model, setting, attribute, other_attribute, classifier)
    left join (
        select sweep, model, setting, attribute, other_attribute, classifier, estimate from effects
    ) as effects using (sweep, model, setting, attribute, other_attribute, classifier)
    left join counted using (sweep, model, setting, attribute, other_attribute, classifier, "group", other_group)
)
select
    * exclude (possible, quantile),
    count / nullif(n, 0)::double as share,
    case when n = 0 then 0e0 else wilson_low(count / design_effect, n / design_effect, quantile) end as low,
    case when n = 0 then 1e0 else wilson_high(count / design_effect, n / design_effect, quantile) end as high,
    n * target < sparse_below() as sparse
from dense
