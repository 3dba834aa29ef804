-- Shares by a variable of the prompts, such as their language; of two groups the first alone, the other is its complement.
select
    variable, level, attribute, "group", model, setting, target, share, low as share_low, high as share_high, prompts
from share_by_variable
where sweep = $sweep and (attribute, classifier) in $lead
qualify count(distinct level) over (partition by variable) <= 12
    and (position = 1 or max(position) over (partition by variable, attribute) > 2)
order by variable, attribute, position, level, model, setting
