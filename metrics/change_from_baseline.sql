-- How much farther from the target a prompt is than in the unguided baseline of the same model: the difference of total
-- variation, negative where the setting helps.
-- good: below 0
-- reads: distributions, settings
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: difference of total variation distances; its mean is resampled over prompts, paired
-- summary mean: change_from_baseline
-- read: low and high come from the intervals of the two shares (MOVER: Zou & Donner, Statistics in Medicine 27, 2008),
-- which ignores that seeds are shared and so is wide; distance_change resamples the seeds.
with distances as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, n,
        total_variation_of(shares, targets) as distance,
        total_variation_of(nearest_target, targets) as low,
        list_max(list_transform(extremes, lambda p: total_variation_of(p, targets))) as high
    from distributions
),
baselines as (
    select sweep, model, min(setting) as setting from settings where baseline group by sweep, model
),
paired as (
    select
        guided.*, baselines.setting as baseline, unguided.distance as baseline_distance,
        unguided.low as baseline_low, unguided.high as baseline_high, unguided.n as baseline_n
    from distances as guided
    join baselines on baselines.sweep = guided.sweep and baselines.model = guided.model
    join distances as unguided
        on unguided.sweep = guided.sweep and unguided.model = guided.model
        and unguided.setting = baselines.setting and unguided.prompt = guided.prompt
        and unguided.attribute = guided.attribute and unguided.classifier = guided.classifier
    where guided.setting <> baselines.setting
)
select
    sweep, model, setting, baseline, prompt, prompt_name, attribute, classifier, n, baseline_n,
    distance - baseline_distance as change_from_baseline,
    distance - baseline_distance - sqrt((distance - low) ** 2 + (baseline_high - baseline_distance) ** 2) as low,
    distance - baseline_distance + sqrt((high - distance) ** 2 + (baseline_distance - baseline_low) ** 2) as high,
    distance, baseline_distance
from paired
