-- The counts of a prompt as aligned lists over the declared groups, with the vectors that bound every metric: the shares
-- inside the simultaneous intervals nearest the target, nearest the uniform, and the extreme ones of each group.
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
),
shared as (
    select
        *,
        if(n > 0, list_transform(counts, lambda k: k / n::double), null) as shares,
        list_transform(groups, lambda g: 1e0 / len(groups)) as uniform,
        interval_z(confidence_level(), if(len(groups) > 2, len(groups), 1)) as z
    from lists
),
bounded as (
    select
        *,
        list_transform(counts, lambda k: wilson_low(k, n, z)) as lows,
        list_transform(counts, lambda k: wilson_high(k, n, z)) as highs
    from shared
)
select
    * exclude (z),
    toward(shares, targets, lows, highs) as nearest_target,
    toward(shares, uniform, lows, highs) as nearest_uniform,
    extremes(shares, lows, highs) as extremes
from bounded
