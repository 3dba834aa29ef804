-- How the drawn shares relate to those of a reference: prompts that amplify, reflect and mitigate its bias.
select
    reference, model, setting, attribute, verdict, count as prompts, share, low as share_low, high as share_high,
    tested_count as prompts_by_test
from reference_verdicts
where sweep = $sweep and (attribute, classifier) in $lead
order by reference, attribute, model, setting, verdict
