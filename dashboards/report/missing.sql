-- Where most images show no declared group.
select
    model, setting, prompt_name as prompt, attribute,
    missing_share.missing_share as missing, low as missing_low, high as missing_high,
    no_face, unknown, failed, images
from missing_share
where sweep = $sweep and (attribute, classifier) in $lead and missing_share > 0
order by missing desc, model, setting, prompt
limit 10
