-- Of the images that start from pictures of each group, how many show each outcome; over all prompts.
select model, setting, attribute, before, after, n, images, share, low as share_low, high as share_high
from edit_flips
where sweep = $sweep and (attribute, classifier) in $lead and prompt is null
order by attribute, model, setting, before, kept desc, after
