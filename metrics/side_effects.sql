-- What guidance did to the shares of the attributes that it was not meant to touch, against the unguided baseline.
-- good: near 0
-- reads: mean_share, settings, mcnemar
-- one row per: sweep, model, setting, attribute, classifier, group
-- source: difference of mean shares; the p-value is that of mcnemar on the same seeds
with guided as (
    select sweep, model, setting, attributes from settings where not baseline
),
baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
)
select
    after.sweep, after.model, after.setting, baselines.versus, after.attribute, after.classifier, after.group,
    before.mean_share as share_before,
    after.mean_share as share_after,
    after.mean_share - before.mean_share as side_effect,
    after.mean_share - before.mean_share
        - sqrt((after.mean_share - after.low) ** 2 + (before.high - before.mean_share) ** 2) as low,
    after.mean_share - before.mean_share
        + sqrt((after.high - after.mean_share) ** 2 + (before.mean_share - before.low) ** 2) as high,
    mcnemar.p_value,
    after.n
from guided
join baselines using (sweep, model)
join mean_share as after
    on after.sweep = guided.sweep and after.model = guided.model and after.setting = guided.setting
    and not list_contains(guided.attributes, after.attribute)
join mean_share as before
    on before.sweep = after.sweep and before.model = after.model and before.setting = baselines.versus
    and before.attribute = after.attribute and before.classifier = after.classifier and before.group = after.group
left join mcnemar
    on mcnemar.sweep = after.sweep and mcnemar.model = after.model and mcnemar.setting = after.setting
    and mcnemar.versus = baselines.versus and mcnemar.attribute = after.attribute
    and mcnemar.classifier = after.classifier and mcnemar.prompt is null
