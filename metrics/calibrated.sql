-- What a calibrated setting shows on a prompt: the quota and the scale that its pilot led to, how far the shares of the
-- images made after it may be from their targets, and whether that is within the tolerance.
-- good: on target
-- reads: decisions, plan_rows, share, corrected_share
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: plan/calibrated.py of fairsweep; intervals as those of share and corrected_share
-- read: decided is what the pilot said: reached, not reachable at any scale of its ladder (then outcome is what was nearest), not
-- decided by so few images, or unreadable: no image shows a group. no pilot: the images of the pilot failed, or are still to come,
-- as are the prompt's own; the next run tries them again. foreseen and error: how far off it foresaw the outcome, and its standard error.
-- farthest and nearest: how far from its target some group's share may be at most and must be at least, by the images
-- that were made afterwards; shares are corrected where the classifier was calibrated. quota: the share of directions to
-- each group, in the order of the groups.
with pilots as (
    select distinct sweep, model, setting, prompt, prompt_name, unnest(map_keys(direction)) as attribute
    from plan_rows
    where pilot
),
last as (
    select
        sweep, model, setting, prompt, attribute,
        arg_max(value, round) as decided, arg_max(evidence, round)::json as evidence
    from decisions
    where kind = 'quota'
    group by sweep, model, setting, prompt, attribute
),
shown as (
    select
        share.sweep, share.model, share.setting, share.prompt, share.attribute, share.classifier, share.n, share.target,
        coalesce(corrected.low, share.low) as low, coalesce(corrected.high, share.high) as high,
        coalesce(corrected.corrected_share, share.share) as share
    from share
    left join corrected_share as corrected
        on corrected.sweep = share.sweep and corrected.model = share.model and corrected.setting = share.setting
        and corrected.prompt = share.prompt and corrected.attribute = share.attribute
        and corrected.classifier = share.classifier and corrected.group = share.group
),
reached as (
    select
        sweep, model, setting, prompt, attribute, classifier, max(n) as n, max(abs(share - target)) as miss,
        max(greatest(high - target, target - low)) as farthest,
        max(greatest(low - target, target - high, 0e0)) as nearest
    from shown
    group by sweep, model, setting, prompt, attribute, classifier
)
select
    sweep, model, setting, prompt, pilots.prompt_name, attribute, classifier, n, decided,
    (evidence->>'scale')::double as scale, (evidence->'quota')::double[] as quota,
    (evidence->'outcome')::double[] as outcome, (evidence->>'miss')::double as foreseen,
    (evidence->>'error')::double as error, (evidence->>'tolerance')::double as tolerance, miss, nearest, farthest,
    case
        when decided is null or decided = 'stronger' then 'no pilot'
        when decided = 'unreadable' then decided
        when n is null or n = 0 then 'no images'
        when farthest <= (evidence->>'tolerance')::double then 'on target'
        when decided = 'not reachable' then 'not reachable'
        when nearest > (evidence->>'tolerance')::double then 'off target'
        else 'not decided'
    end as verdict
from pilots
left join last using (sweep, model, setting, prompt, attribute)
left join reached using (sweep, model, setting, prompt, attribute)
