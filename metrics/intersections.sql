-- The joint shares of two attributes over the product of their declared groups, of the images that show both.
-- good: near the product of the targets
-- reads: outcomes, targets
-- one row per: sweep, model, setting, attribute, other_attribute, classifier, group, other_group
-- source: intersectional fairness, Crenshaw (1989); simultaneous intervals: Goodman, Technometrics 7 (1965)
-- read: A cell is sparse where fewer than 5 images would be expected on target: its share says little.
with joint as (
    select
        one.sweep, one.model, one.setting, one.attribute, other.attribute as other_attribute, one.classifier,
        one.outcome as "group", other.outcome as other_group, count(*) as count
    from outcomes as one
    join outcomes as other using (sweep, model, setting, image_id, classifier)
    where one.attribute < other.attribute and one.position is not null and other.position is not null
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
        possible.*, coalesce(count, 0) as count,
        (sum(coalesce(count, 0)) over (
            partition by sweep, model, setting, attribute, other_attribute, classifier
        ))::bigint as n
    from possible
    left join joint using (sweep, model, setting, attribute, other_attribute, classifier, "group", other_group)
)
select
    * exclude (possible, quantiles),
    count / nullif(n, 0)::double as share,
    wilson_low(count, n, quantiles[possible]) as low,
    wilson_high(count, n, quantiles[possible]) as high,
    n * target < sparse_below() as sparse
from dense
cross join (
    select list_transform(list_transform(
        range(1, 401), lambda ways: 1e0 - (1e0 - confidence_level()) / (2e0 * ways)
    ), lambda p: normal_quantile(p)) as quantiles
)
