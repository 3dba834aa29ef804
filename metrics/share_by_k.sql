-- How a group's share among the nearest pictures of training data depends on how many are taken.
-- good: the same for every k
-- reads: match_rows, matchings, outcomes, targets, unmeasured
-- one row per: sweep, source, prompt, attribute, classifier, group, k
-- source: the nearest 250 are the method of Friedrich et al., arXiv 2302.10893; Wilson, JASA 22 (1927)
-- read: The nearest pictures are the most typical ones, and typical is gendered: where the share moves with k it is no share of the
-- data. low and high are Wilson's 95 % interval as if the k nearest were a sample; they are not, and it tells chance alone.
with nearest as (
    select distinct sweep, source, prompt, prompt_name, image_id, rank from match_rows where rank is not null
),
steps as (
    select distinct sweep, source, regexp_extract(match, '^nearest-(\d+)$', 1)::bigint as k
    from match_rows
    where rank is not null
),
labelled as (
    select nearest.*, outcomes.attribute, outcomes.classifier, outcomes.outcome
    from nearest
    join (select distinct sweep, data_sweep from matchings) as named using (sweep)
    join (
        select distinct sweep, model, prompt, image_id, attribute, classifier, outcome
        from outcomes
        where position is not null
    ) as outcomes
        on outcomes.sweep = named.data_sweep and outcomes.image_id = nearest.image_id
        and outcomes.model = nearest.source and outcomes.prompt = nearest.prompt
),
counted as (
    select
        labelled.sweep, labelled.source, prompt, any_value(prompt_name) as prompt_name, attribute, classifier, k,
        outcome as "group", count(*) as count
    from labelled
    join steps on steps.sweep = labelled.sweep and steps.source = labelled.source and rank <= k
    group by labelled.sweep, labelled.source, prompt, attribute, classifier, k, outcome
),
-- A group that none of them shows has 0.
totals as (
    select
        sweep, source, k, prompt, cells.prompt_name, attribute, classifier, "group", targets.position, coalesce(counted.count, 0) as count,
        sum(coalesce(counted.count, 0)) over (partition by sweep, source, prompt, attribute, classifier, k) as n
    from (select distinct sweep, source, prompt, prompt_name, attribute, classifier, k from counted) as cells
    join (select distinct sweep, data_sweep from matchings) as named using (sweep)
    join (select sweep as data_sweep, attribute, "group", position from targets) as targets using (data_sweep, attribute)
    left join counted using (sweep, source, prompt, attribute, classifier, k, "group")
    anti join unmeasured
        on unmeasured.sweep = named.data_sweep and unmeasured.attribute = cells.attribute
        and unmeasured.classifier = cells.classifier and unmeasured.group = targets.group
)
select
    sweep, source, prompt, prompt_name, attribute, classifier, "group", position, k,
    count / n::double as share,
    wilson_low(count, n, interval_z(confidence_level(), 1)) as low,
    wilson_high(count, n, interval_z(confidence_level(), 1)) as high,
    count, n::bigint as n
from totals
