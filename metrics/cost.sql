-- What the images of a cell took: device time, throughput, and device time per prompt found off target.
-- good: low
-- reads: plan, images, target_test
-- one row per: sweep, model, setting
-- source: the pipeline's seconds per image, measured per batch
-- summary: max(seconds) as seconds, max(images_per_second) as images_per_second
with timed as (
    select
        plan.sweep, plan.model, plan.setting,
        count(images.image_id) as images, count(images.error) as failed, sum(images.seconds) as seconds
    from plan
    left join images using (image_id)
    group by plan.sweep, plan.model, plan.setting
),
found as (
    select sweep, model, setting, count(*) filter (verdict = 'off target') as findings
    from target_test
    group by sweep, model, setting
)
select
    timed.*,
    seconds / 3600 as device_hours,
    images / nullif(seconds, 0) as images_per_second,
    coalesce(findings, 0) as findings,
    seconds / nullif(findings, 0) as seconds_per_finding
from timed
left join found using (sweep, model, setting)
