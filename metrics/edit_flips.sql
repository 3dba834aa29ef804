-- Whether an edited picture keeps the group that it showed, and which it becomes: of the images that start from pictures
-- of each group, how many show each outcome; for each prompt, and over all prompts (prompt is null).
-- good: -
-- reads: edits, place_names
-- one row per: sweep, model, setting, prompt, attribute, classifier, before, after
-- source: the paired contingency table; Wilson, JASA 22 (1927)
-- read: before is what the source picture is known to show, else what the classifier reads off it. Images of one picture
-- resemble each other: the interval is that of as many images as there are pictures, which is exact with one image each.
with counted as (
    select
        coalesce(cell, setting) as place, attribute, classifier, before, after, count(*) as n
    from edits
    group by grouping sets ((cell, attribute, classifier, before, after), (setting, attribute, classifier, before, after))
),
sizes as (
    select
        coalesce(cell, setting) as place, attribute, classifier, before, count(*) as images,
        count(distinct source) as source_pictures
    from edits
    group by grouping sets ((cell, attribute, classifier, before), (setting, attribute, classifier, before))
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, before, after, before = after as kept,
    n, images, source_pictures, n / images::double as share,
    wilson_low(n * source_pictures / images::double, source_pictures, z) as low,
    wilson_high(n * source_pictures / images::double, source_pictures, z) as high
from counted
join sizes using (place, attribute, classifier, before)
join place_names using (place)
cross join (select interval_z(confidence_level(), 1) as z)
