-- What the images of a cell took: device time, throughput, and device time per prompt found off target.
-- good: low
-- reads: plan, images, target_test
-- one row per: sweep, model, setting
-- source: the pipeline's seconds per image, measured per batch
-- summary: max(seconds) as seconds, max(images_per_second) as images_per_second
-- read: seconds is the time of all tries that were timed; images are those that were made, failed those that were not.
-- images_per_second is how fast the images that were made were made: failures and images without a time are in neither
-- its images nor its seconds.
with timed as (
    select
        plan.sweep, plan.model, plan.setting,
        count(images.image_id) filter (images.error is null) as images,
        count(images.error) as failed,
        sum(images.seconds) as seconds,
        count(images.seconds) filter (images.error is null)
            / nullif(sum(images.seconds) filter (images.error is null), 0) as images_per_second
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
    sweep, model, setting, images, failed, seconds,
    seconds / 3600 as device_hours,
    images_per_second,
    coalesce(findings, 0) as findings,
    seconds / nullif(findings, 0) as seconds_per_finding
from timed
left join found using (sweep, model, setting)
