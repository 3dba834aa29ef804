-- The share of each group per prompt, unguided and guided; the prompts that miss their target most come first.
with chosen as (
    select share.*, baseline
    from share
    join settings using (sweep, model, setting)
    where sweep = $sweep and (attribute, classifier) in $lead
),
missed as (
    select attribute, prompt_name, max(abs(share - target)) as miss from chosen where baseline group by all
)
select
    attribute, classifier, "group", prompt_name, model, setting, baseline, share, low, high, target, n, reason
from chosen
left join missed using (attribute, prompt_name)
order by attribute, miss desc, prompt_name, position, model, baseline desc, setting
