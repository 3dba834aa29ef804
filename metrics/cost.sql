-- What the images of a cell took: device time, throughput, energy, and device time per finding.
-- good: low
-- reads: plan, images, target_test
-- one row per: sweep, model, setting
-- source: the pipeline's seconds per image, measured per batch; NVML's energy counter of the card over those seconds
-- summary: max(seconds) as seconds, max(images_per_second) as images_per_second
-- read: a finding is a prompt found off target, of each attribute and by each classifier. seconds is the time of all
-- tries that were timed; images are those that were made, failed those that were not. images_per_second is how fast the
-- images that were made were made: failures and images without a time are in neither its images nor its seconds. joules
-- are the card's, idle power included, over all tries; null unless every image that was timed has them, and energy says
-- why. joules_per_image is the mean of the images that were made and have them.
with timed as (
    select
        plan.sweep, plan.model, plan.setting,
        count(images.image_id) filter (images.error is null) as images,
        count(images.error) as failed,
        sum(images.seconds) as seconds,
        count(images.seconds) filter (images.error is null)
            / nullif(sum(images.seconds) filter (images.error is null), 0) as images_per_second,
        count(images.seconds) as timed,
        count(images.joules) as metered,
        sum(images.joules) as joules,
        avg(images.joules) filter (images.error is null) as joules_per_image,
        min(nullif(regexp_extract(images.versions, '"energy": "([^"]*)"', 1), '')) as reason
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
    seconds / nullif(findings, 0) as seconds_per_finding,
    case when metered = timed then joules end as joules,
    joules_per_image,
    case
        when timed = 0 then null
        when metered = timed then 'measured'
        else concat_ws(': ', concat('known of ', metered, ' of ', timed, ' images'), reason)
    end as energy
from timed
left join found using (sweep, model, setting)
