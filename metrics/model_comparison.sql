-- How much more often one model shows a group than another, on the same prompts and seeds of the same setting.
-- good: -
-- reads: model_pairs
-- one row per: sweep, setting, model, versus, attribute, classifier, group
-- source: Student's paired t over seeds (Biometrika 6, 1908), weighted by a seed's pairs (Cochran, Sampling Techniques, 6.4)
-- read: Shares are over n pairs of images, those of one prompt and seed of which both models show a group: what one has lost
-- counts for neither. The interval is about more seeds of these prompts, null for fewer than two. Where both show the same
-- for every seed its width is that of one image more. The family of a q-value is all pairs of models, settings and groups of
-- a sweep, attribute and classifier.
with summed as (
    select
        sweep, setting, model, versus, attribute, classifier, "group", count(*) as seeds, sum(n)::bigint as n,
        sum(count)::double / sum(n) as share, sum(other_count)::double / sum(n) as other_share,
        sum(count - other_count)::double / sum(n) as difference, sum((count - other_count) ** 2) as squares,
        sum((count - other_count) * n) as products, sum(n ** 2) as sizes
    from model_pairs
    group by all
),
spread as (
    select
        * exclude (squares, products, sizes),
        -- Over the seeds, (d - n difference)^2 is d^2 - 2 d n difference + n^2 difference^2.
        greatest(1e0, sqrt(greatest(0e0, squares - 2 * difference * products + difference ** 2 * sizes)
            * seeds / nullif(seeds - 1, 0))) / n as error
    from summed
),
tested as (
    select *, if(seeds > 1, student_tail(difference / error, seeds - 1), null) as p_value from spread
)
select
    * exclude (error, p_value, q_value),
    if(seeds > 1, difference - student_bound(1 - confidence_level(), seeds - 1) * error, null) as low,
    if(seeds > 1, difference + student_bound(1 - confidence_level(), seeds - 1) * error, null) as high,
    p_value, q_value, spread_reason(seeds, 'seed') as reason
from q_values('tested', {'sweep': sweep, 'attribute': attribute, 'classifier': classifier})
