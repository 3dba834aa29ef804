-- Every model and setting per attribute, the fairest over all attributes first. What is kept of an image does not
-- depend on the attribute: it comes from the first classifier that embeds images.
with pictured as (
    select distinct on (sweep, model, setting)
        sweep, model, setting, recognition,
        scene_similarity as kept, scene_similarity_low as kept_low, scene_similarity_high as kept_high,
        prompt_alignment, prompt_alignment_low, prompt_alignment_high
    from summary
    where prompt_alignment is not null
    order by sweep, model, setting, classifier
),
cells as (
    select *, sum(total_variation) over (partition by model, setting) as far
    from summary
    where sweep = $sweep and (attribute, classifier) in $lead
)
select
    cells.model, cells.setting, baseline, attribute,
    total_variation as distance, total_variation_low as distance_low, total_variation_high as distance_high,
    prompts_off_target, prompts,
    kept, kept_low, kept_high,
    pictured.prompt_alignment as alignment,
    pictured.prompt_alignment_low as alignment_low, pictured.prompt_alignment_high as alignment_high,
    missing_share as missing, missing_share_low as missing_low, missing_share_high as missing_high,
    images_per_second
from cells
left join pictured using (sweep, model, setting)
left join settings using (sweep, model, setting)
order by far, cells.model, cells.setting, attribute
