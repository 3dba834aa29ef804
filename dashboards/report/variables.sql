-- Shares by a variable of the prompts, such as their language: means over the prompts of each of its values.
select
    variable, level as prompt_name, attribute, classifier, "group", model, setting, baseline, target, share, low, high,
    prompts, n, reason
from share_by_variable
left join settings using (sweep, model, setting)
where sweep = $sweep and (attribute, classifier) in $lead
qualify count(distinct level) over (partition by variable) <= 12
order by variable, attribute, level, position, model, baseline desc, setting
