-- The mean absolute difference between the shares of two groups, over all pairs.
-- good: near 0
-- reads: distributions, uniform_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Shen et al., arXiv 2311.07604, equation of the bias metric
-- range: 0 to 1
-- summary mean: pairwise_bias
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model with equal shares would score at this n; above_floor is how much worse the value
-- is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    pairwise_bias_of(shares) as pairwise_bias,
    pairwise_bias_of(nearest_uniform) as low,
    list_max(list_transform(extremes, lambda p: pairwise_bias_of(p))) as high,
    uniform_floors.pairwise_bias as noise_floor,
    pairwise_bias_of(shares) - uniform_floors.pairwise_bias as above_floor,
    reason
from distributions
left join uniform_floors on uniform_floors.groups = len(distributions.groups) and uniform_floors.n = floor_n
