-- What each metric would be on average for a perfectly fair model at n images: the noise floor of that metric. Exact for two
-- groups; for more where the metric is a sum over the groups, whose counts are binomial each, else the mean of the draws.
-- reads: fair_draws
-- one row per: fair distribution, n
with drawn as (
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
),
places as (
    select fair, n, unnest(fair) as target from drawn where len(fair) > 2 and list_max(fair) < 1
),
marginals as (
    select
        fair, n, target, p, exp(binomial_log_(k, n, target)) as weight
    from (
        select *, k / n::double as p
        from (
            select *, unnest(range(
                greatest(0, floor(n * target - 9 * sqrt(n * target * (1 - target)) - 9))::bigint,
                least(n, ceil(n * target + 9 * sqrt(n * target * (1 - target)) + 9))::bigint + 1
            )) as k
            from places
            where target > 0
        )
    )
),
summed as (
    select
        fair, n,
        sum(weight * kl_term_(p, target)) as kl_divergence,
        sum(weight * (kl_term_(p, (p + target) / 2) + kl_term_(target, (p + target) / 2))) / 2 as jensen_shannon,
        sum(weight * (p - target) ** 2 / target) * n as chi_square,
        sum(weight * abs(p - target) / target) / len(list_filter(fair, lambda t: t > 0)) as relative_deviation,
        sum(weight * if(p > 0, -p * log2(p), 0e0)) / log2(len(fair)) as normalised_entropy
    from marginals
    group by fair, n
)
select
    drawn.* replace (
        coalesce(summed.kl_divergence, drawn.kl_divergence) as kl_divergence,
        coalesce(summed.jensen_shannon, drawn.jensen_shannon) as jensen_shannon,
        coalesce(summed.chi_square, drawn.chi_square) as chi_square,
        coalesce(summed.relative_deviation, drawn.relative_deviation) as relative_deviation,
        coalesce(summed.normalised_entropy, drawn.normalised_entropy) as normalised_entropy
    )
from drawn
left join summed using (fair, n)
