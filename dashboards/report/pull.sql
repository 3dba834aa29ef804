-- How many more edited images show a group than their source pictures did; over all prompts.
select model, setting, attribute, "group", share_before, share_after, change, gained, lost, p_value, q_value
from edit_pull
where sweep = $sweep and (attribute, classifier) in $lead and prompt is null
order by attribute, model, setting, position
