-- What guidance did to attributes that it was not meant to touch.
select
    model, setting, attribute, "group", share_before, share_after,
    side_effect as change, low as change_low, high as change_high, p_value, q_value
from side_effects
where sweep = $sweep and (attribute, classifier) in $lead
order by q_value, model, setting, attribute, "group"
