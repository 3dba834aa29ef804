-- How many edited pictures of each group keep it over all prompts, with an interval, and what the others become.
with counted as (
    select
        model, setting, attribute, before, coalesce(sum(n) filter (kept), 0) as n, any_value(images) as images,
        any_value(source_pictures) as source_pictures,
        string_agg(n || ' ' || after, ', ' order by n desc, after) filter (not kept) as became
    from edit_flips
    where sweep = $sweep and (attribute, classifier) in $lead and prompt is null
    group by model, setting, attribute, before
)
select
    model, setting, attribute, before, n, images, source_pictures, became, n / images::double as kept,
    wilson_low(n * source_pictures / images::double, source_pictures, z) as kept_low,
    wilson_high(n * source_pictures / images::double, source_pictures, z) as kept_high
from counted
cross join (select interval_z(confidence_level(), 1) as z)
order by attribute, before, model, setting
