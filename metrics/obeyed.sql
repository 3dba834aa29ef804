-- The proportion of images that show the group that their prompt names: a prompt with a variable called like a declared
-- attribute, whose value is one of its groups. An image without a face, or of another group, does not obey.
-- good: near 1
-- reads: distributions, plan
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: proportion of successes; Agresti & Coull, The American Statistician 52 (1998)
-- read: low and high are over this prompt: seeds and images vary. Prompts that name no group have no row.
-- range: 0 to 1
-- summary mean: obeyed
with prompts as (
    select sweep, prompt, any_value(variables) as variables from plan group by sweep, prompt
),
named as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, variables[attribute] as asked, images,
        counts[list_position(groups, variables[attribute])] as shown
    from distributions
    join prompts using (sweep, prompt)
    where list_contains(groups, variables[attribute]) and not list_contains(coalesce(unmeasured, []), variables[attribute])
)
select
    * exclude (z),
    shown / images::double as obeyed,
    share_low(shown, images, z) as low,
    share_high(shown, images, z) as high
from named
cross join (select interval_z(confidence_level(), 1) as z)
