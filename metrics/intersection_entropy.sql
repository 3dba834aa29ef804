-- How evenly a cell shows the intersections of two attributes: the entropy of their joint shares, and its total
-- variation from the product of the targets.
-- good: high entropy, low distance
-- reads: intersections
-- one row per: sweep, model, setting, attribute, other_attribute, classifier
-- source: Shannon (1948); total variation as in total_variation
-- read: The distance is upward biased by chance: noise_floor is its mean, to a normal approximation, for a model on
-- target of independent images.
select
    sweep, model, setting, attribute, other_attribute, classifier, any_value(n) as n,
    sum(if(share > 0, -share * log2(share), 0e0)) as entropy,
    if(count(*) > 1, sum(if(share > 0, -share * log2(share), 0e0)) / log2(count(*)), null) as normalised_entropy,
    sum(abs(share - target)) / 2 as total_variation,
    sum(sqrt(2 * target * (1 - target) / (pi() * n))) / 2 as noise_floor
from intersections
where share is not null
group by sweep, model, setting, attribute, other_attribute, classifier
