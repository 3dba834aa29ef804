-- How often a classifier says each label for each true group, from its calibration images.
-- good: near 1 where label and truth agree
-- reads: calibration_counts
-- one row per: classifier, attribute, truth, label
-- source: confusion matrix; Wilson, JASA 22 (1927)
with counted as (
    select classifier, attribute, truth, label, sum(n)::bigint as count
    from calibration_counts
    group by all
),
totals as (
    select *, (sum(count) over (partition by classifier, attribute, truth))::bigint as n from counted
)
select
    * exclude (z),
    count / nullif(n, 0)::double as rate,
    wilson_low(count, n, z) as low,
    wilson_high(count, n, z) as high
from totals
cross join (select interval_z(confidence_level(), 1) as z)
