-- The shares with the classifier's known errors taken out: the inverse of its confusion matrix times the raw shares,
-- moved to the nearest distribution; for each prompt, and for all prompts together (prompt is null).
-- good: near the target
-- reads: group_counts, confusion_matrices, design_effects
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: Rogan & Gladen, American Journal of Epidemiology 107 (1978); Lang & Reiczigel, Preventive Veterinary
-- Medicine 113 (2014), carried to more groups by the delta method
-- read: unconstrained is the plain inverse, which may leave [0, 1]; the interval carries the calibration's own
-- uncertainty. A calibration that cannot tell the groups apart by three standard errors of its own rates corrects
-- nothing: null, as is all that follows. Over all prompts the interval is about more seeds of these prompts, and counts
-- a seed's images together; with one seed there is none.
with pooled as (
    select
        sweep, model, setting, null as prompt, null as prompt_name, attribute, classifier,
        any_value(groups) as groups, any_value(targets) as targets,
        list_transform(range(1, len(any_value(groups)) + 1), lambda i: list_sum(list_transform(
            list(counts), lambda c: c[i]
        ))::bigint) as counts,
        sum(n)::bigint as n
    from group_counts
    group by sweep, model, setting, attribute, classifier
),
observed as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, groups, targets, counts, n,
        1e0 as design_effect, interval_z(confidence_level(), 1) as quantile
    from group_counts
    union all
    select pooled.*, design_effect, t
    from pooled
    left join design_effects using (sweep, model, setting, attribute, classifier)
),
shared as (
    select
        observed.*, g, matrix, smoothed, images, if(identified, inverse, null) as inverse,
        list_transform(counts, lambda k: k / n::double) as shares,
        list_transform(counts, lambda k: (k + 1e0) / (n + g)) as smooth_shares
    from observed
    join confusion_matrices using (sweep, attribute, classifier)
    where n > 0
),
inverted as (
    select *, matrix_times(inverse, shares, g) as unconstrained from shared
),
constrained as (
    select *, if(inverse is null, null, to_simplex(unconstrained)) as corrected from inverted
),
-- The variance of row r of inverse x shares, where the labels are one multinomial and each truth's calibration another.
deviations as (
    select
        *,
        list_transform(range(g), lambda r: sqrt(
            (list_sum(list_transform(range(1, g + 1), lambda l: inverse[r * g + l] ** 2 * smooth_shares[l]))
                - list_sum(list_transform(range(1, g + 1), lambda l: inverse[r * g + l] * smooth_shares[l])) ** 2)
                / n * design_effect
            + list_sum(list_transform(range(1, g + 1), lambda t: corrected[t] ** 2 / images[t] * (
                list_sum(list_transform(
                    range(1, g + 1), lambda l: inverse[r * g + l] ** 2 * smoothed[(l - 1) * g + t]))
                - list_sum(list_transform(
                    range(1, g + 1), lambda l: inverse[r * g + l] * smoothed[(l - 1) * g + t])) ** 2)))
        )) as deviations
    from constrained
),
rows as (
    select
        * exclude (matrix, smoothed, images, inverse, groups),
        unnest(groups) as "group", unnest(range(1, g + 1)) as place
    from deviations
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, "group", counts[place] as count, n,
    shares[place] as share,
    corrected[place] as corrected_share,
    if(deviations[place] is null, null, greatest(
        0e0, least(corrected[place], unconstrained[place] - quantile * deviations[place])
    )) as low,
    if(deviations[place] is null, null, least(
        1e0, greatest(corrected[place], unconstrained[place] + quantile * deviations[place])
    )) as high,
    unconstrained[place] as unconstrained,
    targets[place] as target,
    case
        when corrected is null then 'the calibration does not tell the groups apart'
        when deviations[place] is null then '1 seed is too few for an interval'
    end as reason
from rows
