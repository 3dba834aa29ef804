-- The counts of a prompt as aligned lists over the declared groups, in their declared order, and what is missing.
-- reads: counts
-- one row per: sweep, model, setting, prompt, attribute, classifier
with lists as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier,
        sum(n)::bigint as images,
        coalesce(sum(n) filter (position is not null), 0)::bigint as n,
        coalesce(sum(n) filter (position is null), 0)::bigint as missing,
        coalesce(sum(n) filter (outcome = 'no_face' and position is null), 0)::bigint as no_face,
        coalesce(sum(n) filter (outcome = 'unknown' and position is null), 0)::bigint as unknown,
        coalesce(sum(n) filter (outcome = 'failed' and position is null), 0)::bigint as failed,
        list(outcome order by position, outcome) filter (position is not null) as groups,
        list(n order by position, outcome) filter (position is not null) as counts,
        list(target order by position, outcome) filter (position is not null) as targets
    from counts
    group by sweep, model, setting, prompt, attribute, classifier
)
select
    *,
    if(n > 0, list_transform(counts, lambda k: k / n::double), null) as shares,
    list_transform(groups, lambda g: 1e0 / len(groups)) as uniform,
    quantiles[if(len(groups) > 2, len(groups), 1)] as z,
    quantiles[1] as z_one
from lists
cross join (
    select list_transform(list_transform(
        range(1, 65), lambda ways: 1e0 - (1e0 - confidence_level()) / (2e0 * ways)
    ), lambda p: normal_quantile(p)) as quantiles
)
