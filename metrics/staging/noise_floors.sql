-- What each metric that compares with a target would be on average for a model on target at n images: the noise floor of
-- that metric. Exact for any number of groups: each is a sum over the groups, whose counts are binomial.
-- reads: group_counts
-- one row per: fair distribution, n
with needed as (
    select distinct unnest([targets, uniform]) as fair, floor_n as n from group_counts where n > 0
),
places as (
    select fair, n, unnest(fair) as target from needed
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
            where target > 0 and target < 1
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
-- A target that only one group has is always met.
select
    fair, n,
    coalesce(kl_divergence, 0) as kl_divergence, coalesce(jensen_shannon, 0) as jensen_shannon,
    coalesce(chi_square, 0) as chi_square, coalesce(relative_deviation, 0) as relative_deviation,
    coalesce(normalised_entropy, 0) as normalised_entropy
from needed
left join summed using (fair, n)
