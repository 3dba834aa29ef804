-- The shares of a prompt with their intervals (simultaneous for more than two groups), and the vectors that bound any
-- metric of them: the point of that region nearest the target, the one nearest the uniform, and the extreme ones.
-- reads: group_counts
-- one row per: sweep, model, setting, prompt, attribute, classifier
with bounded as (
    select
        *,
        list_transform(counts, lambda k: wilson_low(k, n, z)) as lows,
        list_transform(counts, lambda k: wilson_high(k, n, z)) as highs
    from group_counts
)
select
    *,
    toward(shares, targets, lows, highs) as nearest_target,
    toward(shares, uniform, lows, highs) as nearest_uniform,
    extremes(shares, lows, highs) as extremes
from bounded
