-- Each calibrated classifier's confusion matrix among the declared groups (label by truth, as a flat list), its inverse,
-- how many calibration images of each truth there were, and whether they identify anything: whether the matrix would
-- still have an inverse were its rates three of their standard errors off.
-- reads: calibration_counts, targets
-- one row per: sweep, classifier, attribute
with cells as (
    select
        labels.sweep, calibrated.classifier, labels.attribute, labels.position as label, truths.position as truth,
        coalesce(sum(calibration_counts.n), 0)::double as n
    from targets as labels
    join targets as truths using (sweep, attribute)
    join (select distinct classifier, attribute from calibration_counts) as calibrated using (attribute)
    left join calibration_counts
        on calibration_counts.classifier = calibrated.classifier
        and calibration_counts.attribute = labels.attribute
        and calibration_counts.truth = truths.group and calibration_counts.label = labels.group
    group by all
),
rates as (
    select *, sum(n) over (partition by sweep, classifier, attribute, truth) as images from cells
),
matrices as (
    select
        sweep, classifier, attribute,
        sqrt(count(*))::bigint as g,
        list(n / images order by label, truth) as matrix,
        -- One more image per cell keeps the variance of a rate that was never seen above 0 (Lang & Reiczigel 2014).
        list((n + 1) / (images + sqrt_count) order by label, truth) as smoothed,
        list(images order by label, truth) as images,
        min(images) as fewest
    from (select *, sqrt(count(*) over (partition by sweep, classifier, attribute)) as sqrt_count from rates)
    group by sweep, classifier, attribute
),
inverted as (
    select *, matrix_inverse(matrix, g) as inverse from matrices where fewest > 0
)
select
    *,
    list_sum(list_transform(
        matrix_product_(matrix, inverse, g), lambda v, c: (v - if((c - 1) // g = (c - 1) % g, 1e0, 0e0)) ** 2
    )) < 1e-12
    and list_sum(list_transform(inverse, lambda v: v ** 2)) * list_sum(list_transform(
        smoothed, lambda rate, c: rate * (1 - rate) / images[(c - 1) % g + 1]
    )) < 1 / 9e0 as identified
from inverted
