-- Targets that ask for less parity than the model has without guidance, which the spec says is meant; else the sweep is refused.
select
    model, setting, attribute, (evidence::json->>'farther')::bigint as farther, (evidence::json->>'prompts')::bigint as prompts,
    (evidence::json->>'target')::double as target, (evidence::json->>'unguided')::double as unguided
from decisions
where sweep = $sweep and kind = 'skew' and value = 'farther from parity'
order by model, setting, attribute
