-- Each group's share among the matched pictures of training data, with near duplicates and without.
-- good: the same with and without
-- reads: match_rows, matchings, outcomes, targets, unmeasured
-- one row per: sweep, source, match, prompt, attribute, classifier, group
-- source: Wilson, JASA 22 (1927)
-- read: A picture is a duplicate where an earlier match of its prompt has a cosine of at least the source's `duplicate_above`.
-- low and high are Wilson's 95 % interval of share_without_duplicates over n pictures; those of `share` are in the metric share.
with counted as (
    select
        match_rows.sweep, match_rows.source, match_rows.match, match_rows.prompt, match_rows.prompt_name,
        outcomes.attribute, outcomes.classifier, outcomes.outcome as "group",
        count(*) as pictures, count(*) filter (not match_rows.duplicate) as distinct_pictures
    from match_rows
    join (select distinct sweep, data_sweep from matchings) as named using (sweep)
    join outcomes
        on outcomes.sweep = named.data_sweep and outcomes.image_id = match_rows.image_id
        and outcomes.model = match_rows.source and outcomes.setting = match_rows.match
        and outcomes.prompt = match_rows.prompt
    where match_rows.duplicate is not null and outcomes.position is not null
    group by all
),
-- A group that none of them shows has 0.
totals as (
    select
        sweep, source, match, prompt, cells.prompt_name, attribute, classifier, "group", targets.position,
        coalesce(counted.pictures, 0) as pictures, coalesce(counted.distinct_pictures, 0) as distinct_pictures,
        sum(coalesce(counted.pictures, 0)) over cell as all_pictures,
        sum(coalesce(counted.distinct_pictures, 0)) over cell as n
    from (select distinct sweep, source, match, prompt, prompt_name, attribute, classifier from counted) as cells
    join (select distinct sweep, data_sweep from matchings) as named using (sweep)
    join (select sweep as data_sweep, attribute, "group", position from targets) as targets using (data_sweep, attribute)
    left join counted using (sweep, source, match, prompt, attribute, classifier, "group")
    anti join unmeasured
        on unmeasured.sweep = named.data_sweep and unmeasured.attribute = cells.attribute
        and unmeasured.classifier = cells.classifier and unmeasured.group = targets.group
    window cell as (partition by sweep, source, match, prompt, attribute, classifier)
)
select
    sweep, source, match, prompt, prompt_name, attribute, classifier, "group", position,
    pictures / all_pictures::double as share,
    distinct_pictures / nullif(n, 0)::double as share_without_duplicates,
    wilson_low(distinct_pictures, n, interval_z(confidence_level(), 1)) as low,
    wilson_high(distinct_pictures, n, interval_z(confidence_level(), 1)) as high,
    n::bigint as n, (all_pictures - n)::bigint as duplicates
from totals
