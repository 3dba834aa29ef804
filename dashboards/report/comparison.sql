-- How much more often one model shows a group than another, on the same prompts and seeds.
select
    setting, model, versus, attribute, "group", share, other_share,
    difference, low as difference_low, high as difference_high, q_value
from model_comparison
where sweep = $sweep and (attribute, classifier) in $lead
order by attribute, setting, model, versus, abs(difference) desc, "group"
