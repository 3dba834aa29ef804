-- The models of a sweep by their mean distance to the target, each with the places that its interval allows.
-- good: near 1
-- reads: summary, measured_prompts
-- one row per: sweep, setting, attribute, classifier, model
-- source: ranks from intervals: Goldstein & Healy, Journal of the Royal Statistical Society A 158 (1995)
-- read: The true place lies from best to worst: a model is surely better than another where its whole interval lies
-- below the other's, which for two 95 % intervals of one width is a test at some 0.6 %. Intervals are over these prompts;
-- the distance is without what chance alone adds. tied: the models that could change places with this one. Of models of
-- which not the same prompts show a group none is surely better.
with placed as (
    select
        sweep, setting, attribute, classifier, model, total_variation_without_chance as distance,
        total_variation_low as low, total_variation_high as high, prompts_key
    from summary
    left join measured_prompts using (sweep, model, setting, attribute, classifier)
    where total_variation is not null
)
select
    one.sweep, one.setting, one.attribute, one.classifier, one.model, one.distance, one.low, one.high,
    1 + count(*) filter (where other.distance < one.distance) as place,
    1 + count(*) filter (where other.high < one.low and other.prompts_key = one.prompts_key) as best,
    count(*) filter (where coalesce(other.low <= one.high or other.prompts_key <> one.prompts_key, true)) as worst,
    coalesce(list(other.model order by other.model) filter (
        where other.model <> one.model and coalesce(
            other.low <= one.high and one.low <= other.high or other.prompts_key <> one.prompts_key, true
        )
    ), []) as tied
from placed as one
join placed as other using (sweep, setting, attribute, classifier)
group by
    one.sweep, one.setting, one.attribute, one.classifier, one.model, one.distance, one.low, one.high
