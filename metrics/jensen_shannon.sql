-- Jensen-Shannon divergence between the shares and the target, in bits, from 0 to 1.
-- good: near 0
-- reads: distributions, noise_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Lin, IEEE Transactions on Information Theory 37 (1991)
-- range: 0 to 1
-- summary mean: jensen_shannon
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model on target would score at this n; above_floor is how much worse the value is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    jensen_shannon_of(shares, targets) as jensen_shannon,
    jensen_shannon_of(nearest_target, targets) as low,
    list_max(list_transform(extremes, lambda p: jensen_shannon_of(p, targets))) as high,
    noise_floors.jensen_shannon as noise_floor,
    jensen_shannon_of(shares, targets) - noise_floors.jensen_shannon as above_floor,
    entropy_bias(len(groups), distributions.n) / 2 as bias,
    reason
from distributions
left join noise_floors on noise_floors.fair = distributions.targets and noise_floors.n = distributions.floor_n
