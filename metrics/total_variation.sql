-- Half the sum of the absolute gaps between the shares and the target: the proportion of images that would have to
-- show another group.
-- good: near 0
-- reads: distributions
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: total variation distance; Levin & Peres, Markov Chains and Mixing Times, 4.1
-- range: 0 to 1
-- summary mean: total_variation
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model on target would score at this n; above_floor is how much worse the value is.
with floored as (
    select *, expected_total_variation(targets, floor_n) as noise_floor from distributions
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, n,
    total_variation_of(shares, targets) as total_variation,
    total_variation_of(nearest_target, targets) as low,
    list_max(list_transform(extremes, lambda p: total_variation_of(p, targets))) as high,
    noise_floor,
    total_variation_of(shares, targets) - noise_floor as above_floor,
    reason
from floored
