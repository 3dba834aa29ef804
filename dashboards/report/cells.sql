-- Every model and setting per attribute, the fairest over all attributes first (by the distance without what chance adds
-- at these numbers of images), those of which fewer prompts show a group, and those without an attribute's labels, behind.
-- What is kept of a scene does not depend on the attribute: it comes from the first classifier that embeds images.
with pictured as (
    select distinct on (sweep, model, setting)
        sweep, model, setting, recognition,
        scene_similarity as scene_kept, scene_similarity_low as scene_kept_low, scene_similarity_high as scene_kept_high,
        scene_floor,
        prompt_alignment, prompt_alignment_low, prompt_alignment_high
    from summary
    where prompt_alignment is not null
    order by sweep, model, setting, classifier
),
seen as (
    select
        sweep, model, setting, attribute, classifier, min(images) as fewest, count(*) filter (n = 0) as unseen
    from distributions
    where sweep = $sweep
    group by all
),
cells as (
    select
        *, sum(total_variation_without_chance) over cell as far,
        count(*) over cell - count(total_variation) over cell as unmeasured, sum(unseen) over cell as lost
    from summary
    left join seen using (sweep, model, setting, attribute, classifier)
    where sweep = $sweep and (attribute, classifier) in $lead
    window cell as (partition by model, setting)
)
select
    cells.model, cells.setting, baseline, attribute,
    total_variation as distance, total_variation_low as distance_low, total_variation_high as distance_high,
    total_variation_floor as distance_floor,
    change_from_baseline as change, change_from_baseline_low as change_low, change_from_baseline_high as change_high,
    prompts_off_target,
    {
        'classifier': cells.classifier, 'prompts': prompts, 'images_per_prompt': images_per_prompt,
        'fewest': fewest, 'unseen': unseen, 'prompts_not_decided': prompts_not_decided, 'least_difference': least_difference, 'cell_q': cell_q,
        'scene_floor': pictured.scene_floor, 'reason': reason
    } as for_sentences,
    scene_kept, scene_kept_low, scene_kept_high,
    pictured.prompt_alignment as alignment,
    pictured.prompt_alignment_low as alignment_low, pictured.prompt_alignment_high as alignment_high,
    missing_share as missing, missing_share_low as missing_low, missing_share_high as missing_high,
    images_per_second
from cells
left join pictured using (sweep, model, setting)
left join settings using (sweep, model, setting)
order by unmeasured, lost, far, cells.model, cells.setting, attribute
