-- Models by their distance to the target, each with the places that its interval allows; a setting of one model has none.
-- Less what chance adds, a distance may come out below 0: it is shown as 0, on the target.
select
    setting, attribute, model, greatest(distance, 0) as distance, low as distance_low, high as distance_high,
    place, best, worst, tied
from leaderboard
left join settings using (sweep, model, setting)
where sweep = $sweep and (attribute, classifier) in $lead
qualify count(*) over (partition by setting, attribute) > 1
order by attribute, baseline desc, setting, place, model
