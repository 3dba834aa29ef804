-- Images whose group differs from that of the unguided image of their seed.
select
    model, setting, attribute, pairs, flipped_share as flipped, low as flipped_low, high as flipped_high, p_value
from mcnemar
join settings using (sweep, model, setting)
join settings as start using (sweep, model)
where sweep = $sweep and (attribute, classifier) in $lead and prompt is null
    and not settings.baseline and start.baseline and start.setting = versus
order by attribute, model, setting
