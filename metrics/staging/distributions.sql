-- The shares of a prompt with their intervals (simultaneous for more than two groups), and the vectors that bound any
-- metric of them: the point of that region nearest the target, the one nearest the uniform, and the extreme ones.
-- The intervals are over this prompt: seeds and images vary, the directions that were dealt to them do not. Of a cell that
-- stops by looking they are those that hold at any look.
-- reads: group_counts, decisions
-- one row per: sweep, model, setting, prompt, attribute, classifier
with halves as (
    select
        group_counts.*, list_transform(variances, lambda v: z * sqrt(v)) as halves,
        if(looked, (1e0 - confidence_level()) / group_tests(len(groups)), null) as error
    from group_counts
    left join (select distinct sweep, model, setting, true as looked from decisions where kind = 'stop')
        using (sweep, model, setting)
),
bounded as (
    select
        * exclude (halves, error),
        list_transform(counts, lambda k, i: case
            when error is not null then anytime_low(strata, i, error)
            when n = 0 or k = 0 then 0e0 else least(k / n::double, greatest(0e0, centres[i] - halves[i])) end) as lows,
        list_transform(counts, lambda k, i: case
            when error is not null then anytime_high(strata, i, error)
            when n = 0 or k = n then 1e0 else greatest(k / n::double, least(1e0, centres[i] + halves[i])) end) as highs
    from halves
)
select
    *,
    toward(shares, targets, lows, highs) as nearest_target,
    toward(shares, uniform, lows, highs) as nearest_uniform,
    extremes(shares, lows, highs) as extremes
from bounded
