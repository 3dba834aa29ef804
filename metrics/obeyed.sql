-- The proportion of images that show the group that their prompt names: by a variable called like a declared attribute,
-- whose value is one of its groups, or as a setting that steers only where it must found it (over_drawn). An image without a
-- face, or of another group, does not obey; one that failed, or is still to come, counts for neither.
-- good: near 1
-- reads: distributions, plan, decisions
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: proportion of successes; Agresti & Coull, The American Statistician 52 (1998)
-- read: low and high are over this prompt: seeds and images vary. Prompts that name no group have no row.
-- range: 0 to 1
-- summary mean: obeyed
with prompts as (
    select sweep, prompt, any_value(variables) as variables from plan group by sweep, prompt
),
-- Of all settings of the model: what a prompt asks for does not depend on who answers.
found as (
    select sweep, model, prompt, attribute, any_value((evidence::json)->>'group') as named
    from decisions
    where kind = 'steer' and value = 'names a group'
    group by sweep, model, prompt, attribute
),
asked as (
    select
        distributions.*, if(list_contains(groups, variables[attribute]), variables[attribute], named) as asked
    from distributions
    join prompts using (sweep, prompt)
    left join found using (sweep, model, prompt, attribute)
),
named as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, asked, images - failed as images,
        counts[list_position(groups, asked)] as shown
    from asked
    where list_contains(groups, asked) and not list_contains(coalesce(unmeasured, []), asked)
)
select
    * exclude (z),
    shown / nullif(images, 0)::double as obeyed,
    share_low(shown, images, z) as low,
    share_high(shown, images, z) as high,
    if(images = 0, 'no image was read', null) as reason
from named
cross join (select interval_z(confidence_level(), 1) as z)
