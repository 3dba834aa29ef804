-- The gap between the most and the least frequent group.
-- good: near 0
-- reads: distributions, uniform_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: demographic parity difference, as in fairlearn
-- range: 0 to 1
-- summary mean: parity_difference
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model with equal shares would score at this n; above_floor is how much worse the value
-- is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    parity_difference_of(shares) as parity_difference,
    parity_difference_of(nearest_uniform) as low,
    list_max(list_transform(extremes, lambda p: parity_difference_of(p))) as high,
    uniform_floors.parity_difference as noise_floor,
    parity_difference_of(shares) - uniform_floors.parity_difference as above_floor,
    reason
from distributions
left join uniform_floors on uniform_floors.groups = len(distributions.groups) and uniform_floors.n = floor_n
