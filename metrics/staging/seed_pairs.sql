-- Every image beside the unguided image of its prompt and seed, and whether guidance flipped it, counted as in flips.
-- reads: outcomes, opinions, settings
-- one row per: sweep, image, attribute, classifier
with baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
)
select
    guided.sweep, guided.model, guided.setting, versus, guided.prompt, guided.prompt_name, guided.seed,
    guided.attribute, guided.classifier, guided.steered_to,
    guided.image_id, unguided.image_id as unguided_id,
    unguided.outcome as before, guided.outcome as after,
    coalesce(unguided.outcome <> guided.outcome and 'failed' not in (unguided.outcome, guided.outcome), false) as flipped,
    coalesce(disagreed, false) as disagreed,
    lowest_score
from outcomes as guided
left join baselines using (sweep, model)
left join outcomes as unguided
    on unguided.sweep = guided.sweep and unguided.model = guided.model and unguided.setting = versus
    and unguided.prompt = guided.prompt and unguided.seed = guided.seed
    and unguided.attribute = guided.attribute and unguided.classifier = guided.classifier
left join opinions
    on opinions.sweep = guided.sweep and opinions.image_id = guided.image_id and opinions.attribute = guided.attribute
