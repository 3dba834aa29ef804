-- The proportion of images that show the group that their prompt names: a prompt with a variable called like a declared
-- attribute, whose value is one of its groups. An image without a face, or of another group, does not obey.
-- good: near 1
-- reads: outcomes, plan, targets
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: proportion of successes; Agresti & Coull, The American Statistician 52 (1998)
-- read: low and high are over this prompt: seeds and images vary. Prompts that name no group have no row.
-- range: 0 to 1
-- summary mean: obeyed
with named as (
    select sweep, prompt, attribute, any_value(variables[attribute]) as asked
    from plan
    join targets using (sweep)
    where variables[attribute] = "group"
    group by sweep, prompt, attribute
),
judged as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier, any_value(asked) as asked,
        count(*) as images, count(*) filter (where outcome = asked) as shown
    from outcomes
    join named using (sweep, prompt, attribute)
    group by sweep, model, setting, prompt, attribute, classifier
)
select
    * exclude (z),
    shown / images::double as obeyed,
    share_low(shown, images, z) as low,
    share_high(shown, images, z) as high
from judged
cross join (select interval_z(confidence_level(), 1) as z)
