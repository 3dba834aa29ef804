-- Images whose group differs from that of the unguided image of their seed.
select
    model, setting, attribute, pairs, flipped_share as flipped, p_value, q_value, test
from mcnemar
where sweep = $sweep and (attribute, classifier) in $lead and prompt is null
order by attribute, model, setting
