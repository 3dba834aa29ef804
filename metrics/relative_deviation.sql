-- The mean over groups of the gap to the target, relative to the target: |p - .5| / .5 for two equal groups.
-- good: near 0
-- reads: distributions, noise_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: UCE, Gandikota et al., arXiv 2308.14761
-- range: 0 to infinity
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model on target would score at this n; above_floor is how much worse the value is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    relative_deviation_of(shares, targets) as relative_deviation,
    relative_deviation_of(nearest_target, targets) as low,
    list_max(list_transform(extremes, lambda p: relative_deviation_of(p, targets))) as high,
    noise_floors.relative_deviation as noise_floor,
    relative_deviation_of(shares, targets) - noise_floors.relative_deviation as above_floor,
    reason
from distributions
left join noise_floors on noise_floors.fair = distributions.targets and noise_floors.n = distributions.floor_n
