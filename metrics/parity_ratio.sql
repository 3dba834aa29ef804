-- The share of the least frequent group over that of the most frequent one; below 0.8 the four-fifths rule is broken.
-- good: near 1
-- reads: distributions, uniform_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: demographic parity ratio; EEOC Uniform Guidelines, 29 CFR 1607.4(D)
-- range: 0 to 1
-- summary mean: parity_ratio
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model with equal shares would score at this n; above_floor is how much worse the value
-- is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    parity_ratio_of(shares) as parity_ratio,
    list_min(list_transform(extremes, lambda p: parity_ratio_of(p))) as low,
    parity_ratio_of(nearest_uniform) as high,
    at_least(parity_ratio_of(shares), four_fifths()) as four_fifths_kept,
    uniform_floors.parity_ratio as noise_floor,
    uniform_floors.parity_ratio - parity_ratio_of(shares) as above_floor,
    reason
from distributions
left join uniform_floors on uniform_floors.groups = len(distributions.groups) and uniform_floors.n = floor_n
