-- How much more often one model shows a group than another, on the same prompts and seeds of the same setting.
-- good: -
-- reads: seed_counts, unmeasured
-- one row per: sweep, setting, model, versus, attribute, classifier, group
-- source: Student's paired t over seeds (Biometrika 6, 1908)
-- read: Shares are over all images of these prompts; the interval is about more seeds of these prompts, null for fewer
-- than two seeds that both models have. Where both show the same for every seed its width is that of one image more. The
-- family of a q-value is all pairs of models, settings and groups of a sweep, attribute and classifier.
with placed as (
    select
        sweep, model, setting, seed, attribute, classifier, n, unnest(groups) as "group", unnest(counts) as count
    from seed_counts
    where seed is not null and n > 0
),
told as (
    from placed anti join unmeasured using (sweep, attribute, classifier, "group")
),
paired as (
    select
        one.sweep, one.setting, one.model, other.model as versus, one.attribute, one.classifier, one.group as "group",
        one.count / one.n - other.count / other.n as difference, one.count as count, one.n as n,
        other.count as other_count, other.n as other_n
    from (select * replace (count::double as count) from told) as one
    join (select * replace (count::double as count) from told) as other
        using (sweep, setting, seed, attribute, classifier, "group")
    where one.model < other.model
),
tested as (
    select
        sweep, setting, model, versus, attribute, classifier, "group", count(*) as seeds,
        sum(count) / sum(n) as share, sum(other_count) / sum(other_n) as other_share, avg(difference) as difference,
        greatest(stddev_samp(difference) / sqrt(count(*)), 1e0 / sum(n)) as error,
        if(count(*) > 1, student_tail(avg(difference) / greatest(
            stddev_samp(difference) / sqrt(count(*)), 1e0 / sum(n)
        ), count(*) - 1), null) as p_value
    from paired
    group by all
)
select
    * exclude (error, p_value, q_value),
    if(seeds > 1, difference - student_bound(1 - confidence_level(), seeds - 1) * error, null) as low,
    if(seeds > 1, difference + student_bound(1 - confidence_level(), seeds - 1) * error, null) as high,
    p_value, q_value, spread_reason(seeds, 'seed') as reason
from q_values('tested', {'sweep': sweep, 'attribute': attribute, 'classifier': classifier})
