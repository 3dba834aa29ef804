-- Entropy of the shares over its greatest value: 1 when all groups are equally frequent, 0 when only one appears.
-- good: near 1
-- reads: distributions, noise_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Shannon entropy; Pielou evenness
-- range: 0 to 1
-- summary mean: normalised_entropy
-- read: low and high are over this prompt: seeds and images vary.
-- noise_floor is what a model with equal shares would score at this n; above_floor is how much worse the value
-- is. bias is the most by which so few images make an entropy too low on average, whatever the shares.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, distributions.n,
    normalised_entropy_of(shares) as normalised_entropy,
    list_min(list_transform(extremes, lambda p: normalised_entropy_of(p))) as low,
    normalised_entropy_of(nearest_uniform) as high,
    noise_floors.normalised_entropy as noise_floor,
    noise_floors.normalised_entropy - normalised_entropy_of(shares) as above_floor,
    -entropy_bias(len(groups), distributions.n) / log2(len(groups)) as bias,
    reason
from distributions
left join noise_floors on noise_floors.fair = distributions.uniform and noise_floors.n = distributions.floor_n
