-- The proportion of steered images that show the group they were steered to, of those that show any.
-- good: near 1
-- reads: outcomes
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: success rate; Wilson, JASA 22 (1927)
with steered as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier,
        count(*) as images,
        count(position) as n,
        count(*) filter (outcome = steered_to) as reached
    from outcomes
    where steered_to is not null
    group by sweep, model, setting, prompt, attribute, classifier
)
select
    * exclude (z),
    reached / nullif(n, 0)::double as steering,
    wilson_low(reached, n, z) as low,
    wilson_high(reached, n, z) as high
from steered
cross join (select interval_z(confidence_level(), 1) as z)
