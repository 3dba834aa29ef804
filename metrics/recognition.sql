-- The proportion of images whose label equals the prompt's own variable of that name: the occupation that was asked for
-- is still recognised.
-- good: near 1
-- reads: recognition_values
-- one row per: sweep, model, setting, prompt, variable, classifier
-- source: classification accuracy; Agresti & Coull, The American Statistician 52 (1998)
-- read: low and high are over this prompt: seeds and images vary.
-- range: 0 to 1
-- summary mean: recognition
with judged as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, variable, classifier,
        count(*) as n, sum(value)::bigint as recognised
    from recognition_values
    group by sweep, model, setting, prompt, variable, classifier
)
select
    * exclude (z),
    recognised / n::double as recognition,
    share_low(recognised, n, z) as low,
    share_high(recognised, n, z) as high
from judged
cross join (select interval_z(confidence_level(), 1) as z)
