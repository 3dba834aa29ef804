-- Euclidean distance of the shares to the uniform distribution.
-- good: near 0
-- reads: distributions, uniform_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Euclidean norm of the difference to 1/G, the L2 discrepancy of debiasing papers
-- range: 0 to 1
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model with equal shares would score at this n; above_floor is how much worse the value
-- is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    l2_discrepancy_of(shares) as l2_discrepancy,
    l2_discrepancy_of(nearest_uniform) as low,
    list_max(list_transform(extremes, lambda p: l2_discrepancy_of(p))) as high,
    uniform_floors.l2_discrepancy as noise_floor,
    l2_discrepancy_of(shares) - uniform_floors.l2_discrepancy as above_floor,
    reason
from distributions
left join uniform_floors on uniform_floors.groups = len(distributions.groups) and uniform_floors.n = floor_n
