-- How much farther from the target a prompt is than in the unguided baseline of the same model: the difference of total
-- variation, negative where the setting helps.
-- good: below 0
-- reads: distributions, settings
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: difference of total variation distances; MOVER: Zou & Donner, Statistics in Medicine 27 (2008)
-- range: -1 to 1
-- summary mean: change_from_baseline
-- read: low and high are over this prompt: they come from the intervals of the two shares, as if no seed were shared, and so are
-- wide; distance_change pairs the seeds. Each distance may be chance up to its noise floor while its target lies within its
-- interval, and less from there on: chance_above and chance_below say how much of the change that may be, and low and high allow for it.
-- The p-value is that interval's: below .05 where it excludes 0. The family of a q-value is all prompts of a sweep, model,
-- setting, attribute and classifier.
with distances as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, n,
        total_variation_of(shares, targets) as distance,
        total_variation_of(nearest_target, targets) as low,
        list_max(list_transform(extremes, lambda p: total_variation_of(p, targets))) as high,
        expected_total_variation(targets, floor_n) as noise_floor,
        1e0 - list_min(targets) as farthest, reason
    from distributions
),
baselines as (
    select sweep, model, min(setting) as setting from settings where baseline group by sweep, model
),
paired as (
    select
        guided.* exclude (reason), coalesce(guided.reason, unguided.reason) as reason, baselines.setting as baseline, unguided.distance as baseline_distance,
        unguided.low as baseline_low, unguided.high as baseline_high, unguided.n as baseline_n,
        chance_left(guided.noise_floor, guided.low) as chance_above,
        chance_left(unguided.noise_floor, unguided.low) as chance_below,
        guided.distance - unguided.distance as change
    from distances as guided
    join baselines on baselines.sweep = guided.sweep and baselines.model = guided.model
    join distances as unguided
        on unguided.sweep = guided.sweep and unguided.model = guided.model
        and unguided.setting = baselines.setting and unguided.prompt = guided.prompt
        and unguided.attribute = guided.attribute and unguided.classifier = guided.classifier
    where guided.setting <> baselines.setting
),
reaches as (
    select
        *,
        sqrt((distance - low) ** 2 + (baseline_high - baseline_distance) ** 2) as reach_below,
        sqrt((high - distance) ** 2 + (baseline_distance - baseline_low) ** 2) as reach_above
    from paired
),
tested as (
    select
        * exclude (low, high),
        if(change is null, null, greatest(-farthest, change - chance_above - reach_below)) as low,
        if(change is null, null, least(farthest, change + chance_below + reach_above)) as high,
        change_test(change, chance_above, chance_below, reach_below, reach_above) as p_value
    from reaches
)
select
    sweep, model, setting, baseline, prompt, prompt_name, attribute, classifier, n, baseline_n,
    change as change_from_baseline, low, high, p_value, q_value, distance, baseline_distance, chance_above, chance_below, reason
from q_values(
    'tested', {'sweep': sweep, 'model': model, 'setting': setting, 'attribute': attribute, 'classifier': classifier}
)
