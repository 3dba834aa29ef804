-- What the 64-bit key of a prompt stands for, by which its images are counted.
-- reads: plan
-- one row per: sweep, model, setting, prompt
select
    prompt_key(sweep, model, setting, prompt) as cell, any_value(sweep) as sweep, any_value(model) as model,
    any_value(setting) as setting, any_value(prompt) as prompt, any_value(prompt_name) as prompt_name
from plan
group by cell
