-- Where the images of a seed went between the unguided baseline of a model (`versus`) and each other setting, on the
-- same prompt and seed.
-- reads: seed_flips
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier, before, after
select
    sweep, model, setting, versus, prompt, prompt_name, attribute, classifier, before, after, position_before,
    position_after, count(*) as n
from seed_flips
group by all
