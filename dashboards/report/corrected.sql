-- Shares over all prompts with the classifier's known errors taken out, beside the raw ones.
select
    model, setting, attribute, "group", n, target, share,
    corrected_share as corrected, low as corrected_low, high as corrected_high
from corrected_share
where sweep = $sweep and (attribute, classifier) in $lead and prompt is null
order by attribute, model, setting, "group"
