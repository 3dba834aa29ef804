-- What guidance did to the shares of the attributes that it was not meant to touch, against the unguided baseline.
-- good: near 0
-- reads: mean_share, settings, measured_prompts
-- one row per: sweep, model, setting, attribute, classifier, group
-- source: difference of mean shares by MOVER; Zou & Donner, Statistics in Medicine 27 (2008)
-- read: low and high are over these prompts: seeds and images vary, shared seeds included, as if the two settings did not
-- share them, and so are wide. Null where a prompt shows a group under one of the settings alone: the means are of other
-- prompts then. The p-value is that interval's: below .05 where it excludes 0. The family of a q-value is
-- all groups of a sweep, model, setting and classifier.
with guided as (
    select sweep, model, setting, attributes from settings where not baseline
),
baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
),
shares as materialized (
    select mean_share.*, prompts_key
    from mean_share
    left join measured_prompts using (sweep, model, setting, attribute, classifier)
),
changes as (
    select
        after.sweep, after.model, after.setting, baselines.versus, after.attribute, after.classifier, after.group,
        before.mean_share as share_before,
        after.mean_share as share_after,
        if(after.prompts_key = before.prompts_key, after.mean_share - before.mean_share, null) as side_effect,
        sqrt((after.mean_share - after.low) ** 2 + (before.high - before.mean_share) ** 2) as below,
        sqrt((after.high - after.mean_share) ** 2 + (before.mean_share - before.low) ** 2) as above,
        after.n, coalesce(
            if(after.mean_share is null, after.reason, null), if(before.mean_share is null, before.reason, null),
            if(after.prompts_key = before.prompts_key, null, 'not the same prompts show a group under both settings')
        ) as reason
    from guided
    join baselines using (sweep, model)
    join shares as after
        on after.sweep = guided.sweep and after.model = guided.model and after.setting = guided.setting
        and not list_contains(guided.attributes, after.attribute)
    join shares as before
        on before.sweep = after.sweep and before.model = after.model and before.setting = baselines.versus
        and before.attribute = after.attribute and before.classifier = after.classifier and before.group = after.group
),
tested as (
    select
        * exclude (below, above, reason),
        if(side_effect is null, null, greatest(-1e0, side_effect - below)) as low,
        if(side_effect is null, null, least(1e0, side_effect + above)) as high,
        case
            when side_effect = 0 then 1e0
            when if(side_effect > 0, below, above) > 0 then list_transform(
                [interval_z(confidence_level(), 1) * abs(side_effect) / if(side_effect > 0, below, above)],
                lambda deviation: 2e0 * normal_tail_(deviation)
            )[1]
        end as p_value,
        reason
    from changes
)
from q_values('tested', (sweep, model, setting, classifier))
