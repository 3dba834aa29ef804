-- The mean absolute deviation of the shares from equal shares.
-- good: near 0
-- reads: distributions, uniform_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: DALL-Eval, Cho et al., arXiv 2202.04053
-- range: 0 to 1
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model with equal shares would score at this n; above_floor is how much worse the value
-- is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    mean_absolute_deviation_of(shares) as mean_absolute_deviation,
    mean_absolute_deviation_of(nearest_uniform) as low,
    list_max(list_transform(extremes, lambda p: mean_absolute_deviation_of(p))) as high,
    uniform_floors.mean_absolute_deviation as noise_floor,
    mean_absolute_deviation_of(shares) - uniform_floors.mean_absolute_deviation as above_floor,
    reason
from distributions
left join uniform_floors on uniform_floors.groups = len(distributions.groups) and uniform_floors.n = floor_n
