-- Whether images of one group show their prompt better than those of another: the mean CLIP score of the images that
-- show a group, less that of the other images of the same prompts.
-- good: near 0
-- reads: features, plan, image_answers
-- one row per: sweep, model, setting, attribute, classifier, image_classifier, group
-- source: CLIPScore, Hessel et al., arXiv 2104.08718; Student's t over prompts
-- read: Groups are compared within a prompt, so that prompts that are easier to show do not count for the group they
-- show. The interval is about more prompts like these (Student's t over prompts that show both), null for fewer than
-- two. The family of a q-value is all models, settings, groups and image classifiers of a sweep, attribute and classifier.
with scores as (
    select hash(image_id) as image, hash(classifier) as reader, score from features where score is not null
),
placed as (
    select hash(image_id) as image, prompt_key(sweep, model, setting, prompt) as cell from plan
),
-- 64-bit keys instead of text, as in unit_tallies.
tallies as (
    select cell, reader, answer, count(*) as n, sum(score) as total
    from scores
    join placed using (image)
    join image_answers using (image)
    group by cell, reader, answer
),
compared as (
    select
        *,
        total / n as inside,
        (sum(total) over prompt - total) / nullif(sum(n) over prompt - n, 0) as outside
    from by_group('tallies')
    window prompt as (partition by cell, attribute, classifier, image_classifier)
),
means as (
    select
        sweep, model, setting, attribute, classifier, image_classifier, "group", count(outside) as prompts,
        sum(n) filter (outside is not null)::bigint as n,
        avg(inside - outside) as alignment_gap,
        stddev_samp(inside - outside) / sqrt(nullif(count(outside), 0)) as error
    from compared
    group by sweep, model, setting, attribute, classifier, image_classifier, "group"
),
tested as (
    select
        *,
        case when prompts < 2 then null when error > 0 then student_tail(alignment_gap / error, prompts - 1) end
            as p_value
    from means
)
select
    sweep, model, setting, attribute, classifier, image_classifier, "group", prompts, n, alignment_gap,
    alignment_gap - student_bound(1 - confidence_level(), prompts - 1) * error as low,
    alignment_gap + student_bound(1 - confidence_level(), prompts - 1) * error as high,
    p_value, q_value,
    case when prompts < 2 then spread_reason(prompts, 'prompt') when p_value is null then 'the prompts do not differ' end as reason
from q_values('tested', {'sweep': sweep, 'attribute': attribute, 'classifier': classifier})
