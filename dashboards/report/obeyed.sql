-- How often a prompt that names a group gets it, over all prompts that name one.
select model, setting, attribute, obeyed, obeyed_low, obeyed_high
from summary
left join settings using (sweep, model, setting)
where sweep = $sweep and (attribute, classifier) in $lead and obeyed is not null
order by attribute, model, baseline desc, setting
