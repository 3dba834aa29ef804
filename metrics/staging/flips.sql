-- Where the images of a seed went between two settings of a model: each pair of settings on the same prompt and seed, the
-- unguided baseline always as the setting `versus` that the other is compared with.
-- reads: outcomes, settings
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier, before, after
with pairs as (
    select
        a.sweep, a.model, a.setting, b.setting as versus
    from settings as a
    join settings as b on b.sweep = a.sweep and b.model = a.model and b.setting <> a.setting
    where if(a.baseline = b.baseline, b.setting < a.setting, b.baseline)
)
select
    pairs.sweep, pairs.model, pairs.setting, pairs.versus,
    guided.prompt, guided.prompt_name, guided.attribute, guided.classifier,
    unguided.outcome as before, guided.outcome as after,
    unguided.position as position_before, guided.position as position_after,
    count(*) as n
from pairs
join outcomes as guided
    on guided.sweep = pairs.sweep and guided.model = pairs.model and guided.setting = pairs.setting
join outcomes as unguided
    on unguided.sweep = pairs.sweep and unguided.model = pairs.model and unguided.setting = pairs.versus
    and unguided.prompt = guided.prompt and unguided.seed = guided.seed
    and unguided.attribute = guided.attribute and unguided.classifier = guided.classifier
group by all
