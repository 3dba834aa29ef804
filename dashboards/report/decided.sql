-- What a sweep in rounds decided, the prompts that are off their targets first.
select model, setting, attribute, prompt_name, kind, verdict, images, looks, why
from decided
where sweep = $sweep
order by kind, attribute, verdict, model, setting, prompt_name
