-- What each metric would be on average for a perfectly fair model at n images: the noise floor of that metric.
-- reads: fair_draws
-- one row per: fair distribution, n
select
    fair, n,
    sum(weight * kl_divergence_of(shares, fair)) as kl_divergence,
    sum(weight * jensen_shannon_of(shares, fair)) as jensen_shannon,
    sum(weight * chi_square_of(shares, fair)) * n as chi_square,
    sum(weight * relative_deviation_of(shares, fair)) as relative_deviation,
    sum(weight * normalised_entropy_of(shares)) as normalised_entropy,
    sum(weight * parity_difference_of(shares)) as parity_difference,
    sum(weight * parity_ratio_of(shares)) as parity_ratio,
    sum(weight * pairwise_bias_of(shares)) as pairwise_bias,
    sum(weight * l2_discrepancy_of(shares)) as l2_discrepancy,
    sum(weight * mean_absolute_deviation_of(shares)) as mean_absolute_deviation
from fair_draws
group by fair, n
