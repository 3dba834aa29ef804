-- Each prompt's share of a group in the training data, the encoder's association, and the shares in the pictures; `place` is
-- where it stands in the figure: a share as it is, an association around .5 on a scale of its own. Of the matchings of the
-- data the one by captions, or where captions were not asked for the first by threshold.
with chosen as (
    select sweep, min(source || '.' || match) as name
    from matchings
    where match = 'captions' or match = 'threshold-mixture'
    group by sweep, match
    qualify row_number() over (partition by sweep order by match) = 1
),
steps as (
    select
        components.sweep, component, components.name, prompt_name, attribute, "group", position, value, low, high, versus,
        change, verdict,
        max(abs(value)) filter (component = 'encoder') over (partition by attribute, components.name) as widest
    from components
    left join chosen using (sweep)
    where components.sweep = $sweep and position = 1
        and (component = 'encoder' or (attribute, classifier) in $lead)
        and (component <> 'data' or components.name = chosen.name)
        and (component <> 'pictures' or versus is null or versus = chosen.name)
)
select
    attribute, "group", component, name, prompt_name, value, low, high, change, verdict,
    if(component = 'encoder', 0.5 + 0.5 * value / nullif(widest, 0), value) as place
from steps
order by attribute, prompt_name, case component when 'data' then 1 when 'encoder' then 2 when 'pictures' then 3 else 4 end, name
