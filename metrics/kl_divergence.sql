-- Kullback-Leibler divergence of the shares from the target, in bits; 1 when one of two equal groups is never drawn,
-- infinite when a group is drawn whose target is 0.
-- good: near 0
-- reads: distributions, noise_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Kullback & Leibler, Annals of Mathematical Statistics 22 (1951)
-- range: 0 to infinity
-- summary mean: kl_divergence
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model on target would score at this n; above_floor is how much worse the value is.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    kl_divergence_of(shares, targets) as kl_divergence,
    kl_divergence_of(nearest_target, targets) as low,
    list_max(list_transform(extremes, lambda p: kl_divergence_of(p, targets))) as high,
    noise_floors.kl_divergence as noise_floor,
    kl_divergence_of(shares, targets) - noise_floors.kl_divergence as above_floor,
    entropy_bias(len(groups), distributions.n) as bias,
    reason
from distributions
left join noise_floors on noise_floors.fair = distributions.targets and noise_floors.n = distributions.floor_n
