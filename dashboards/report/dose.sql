-- The distance to the target over the edit scale, the unguided baseline at 0.
select
    model, method, scale, attribute,
    total_variation as distance, low as distance_low, high as distance_high
from dose_response
where sweep = $sweep and (attribute, classifier) in $lead
order by attribute, model, method, scale
