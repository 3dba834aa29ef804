-- What each metric that compares with equal shares would be on average for a model whose groups are equally likely, at n
-- images: the noise floor of that metric.
-- mean_absolute_deviation and pairwise_bias are exact sums of binomial deviations. parity_difference and parity_ratio come
-- from the joint law of the least and the greatest count, of independent Poisson counts given their sum (Levin, Annals of
-- Statistics 9, 1981), by a Fourier sum, to 1e-4; above 100 images per group from the range of normal deviates, to .5 %.
-- l2_discrepancy is exact for two groups and up to three images, else the mean root of a gamma variable that has the mean and
-- the variance of Pearson's statistic, to 2 %.
-- reads: group_counts
-- one row per: number of groups, n
with needed as (
    select
        groups, n, n / groups::double as mean, sqrt(n / groups::double) as deviation,
        ceil(4 * sqrt(n))::bigint as waves
    from (select distinct len(groups) as groups, floor_n as n from group_counts where n > 0)
    where groups > 1
),
-- Of the images that show one or the other of two groups, m, half show the one: their mean difference is De Moivre's.
pairs as (
    select
        groups, n, sum(
            if(groups = 2, 1e0, exp(binomial_log_(m, n, 2e0 / greatest(groups, 3))))
            * exp(ln(2e0 * ceil(m / 2e0)) + lgamma(m + 1e0) - lgamma(ceil(m / 2e0) + 1e0)
                - lgamma(floor(m / 2e0) + 1e0) - m * ln(2e0))
        ) / n as pairwise_bias
    from (
        select *, unnest(range(
            if(groups = 2, n, greatest(1, floor(2 * mean - 13 * deviation - 9)))::bigint,
            least(n, ceil(2 * mean + 13 * deviation + 9))::bigint + 1
        )) as m
        from needed
    )
    group by groups, n
),
-- Two groups: the one has k images, the other n - k.
halves as (
    select
        groups, n, sum(exp(binomial_log_(k, n, 0.5e0)) * least(k, n - k) / greatest(k, n - k)::double) as parity_ratio
    from (
        select *, unnest(range(
            greatest(0, floor(mean - 9 * deviation))::bigint, least(n, ceil(mean + 9 * deviation))::bigint + 1
        )) as k
        from needed
        where groups = 2
    )
    group by groups, n
),
few as (
    select
        *, greatest(0, floor(mean - 4.5e0 * deviation))::bigint as first,
        least(n, ceil(mean + 4.5e0 * deviation + 6))::bigint as last
    from needed
    where groups > 2 and mean <= 100
),
-- The characteristic function of a Poisson count that is at most k, about its mean.
counts as (
    select
        *, exp(k * ln(mean) - mean - lgamma(k + 1e0)) as weight, 2 * pi() * wave / (2 * waves + 1) * (k - mean) as angle
    from (
        select *, unnest(range(first, last + 1)) as k, wave
        from (select *, unnest(range(least(waves, 48) + 1)) as wave from few)
    )
),
waves as (
    select
        * exclude (weight, angle), sum(weight * cos(angle)) over upto as re, sum(weight * sin(angle)) over upto as im
    from counts
    window upto as (partition by groups, n, wave order by k rows between unbounded preceding and current row)
),
-- How likely it is that no count is below least and none above most.
boxes as (
    select
        upper.groups, upper.n, coalesce(lower.k + 1, upper.first) as least, upper.k as most,
        sum(if(upper.wave = 0, 1, 2)
            * ((upper.re - coalesce(lower.re, 0)) ** 2 + (upper.im - coalesce(lower.im, 0)) ** 2) ** (upper.groups / 2e0)
            * cos(upper.groups * atan2(upper.im - coalesce(lower.im, 0), upper.re - coalesce(lower.re, 0))))
            / any_value(2 * upper.waves + 1)
            / exp(any_value(upper.n * ln(upper.n) - upper.n - lgamma(upper.n + 1e0))) as chance
    from (from waves where k >= mean) as upper
    left join (
        from waves where k < floor(mean)
        union all by name
        select distinct * replace (first - 1 as k, 0e0 as re, 0e0 as im) from waves where k = first
    ) as lower
        using (groups, n, wave)
    group by all
),
-- The least count's mean where none is above most.
leasts as (
    select
        groups, n, most,
        sum(chance * if(least = first, first, 1)) as mean_least, sum(chance) filter (least = first) as chance
    from boxes
    join (select groups, n, first from few) using (groups, n)
    group by groups, n, most
),
extremes as (
    select
        groups, n,
        (min(most) + sum(1 - chance) - max_by(mean_least, most)) / n as parity_difference,
        sum(mean_least / (most * (most + 1e0))) + max_by(mean_least, most) / (max(most) + 1) as parity_ratio
    from leasts
    group by groups, n
),
-- How likely the range of so many normal deviates is to exceed r.
ranges as (
    select
        groups, r, 1 - sum(
            groups * exp(-(x * x) / 2) / sqrt(2 * pi()) * (normal_cdf(x + r) - normal_cdf(x)) ** (groups - 1)
        ) * 0.1e0 as beyond
    from (select distinct groups from needed where groups > 2 and mean > 100)
    cross join (select (unnest(range(180)) + 0.5e0) / 20 as r)
    cross join (select unnest(range(-80, 81)) / 10e0 as x)
    group by groups, r
),
limits as (
    select
        groups, n, sum(beyond) / 20 * deviation / n as parity_difference,
        1 - sum(beyond / deviation / (1 + r / 2 / deviation) ** 2) / 20 as parity_ratio
    from needed
    join ranges using (groups)
    where mean > 100
    group by groups, n, deviation
)
select
    groups, n, pairwise_bias,
    if(groups = 2, pairwise_bias, coalesce(extremes.parity_difference, limits.parity_difference)) as parity_difference,
    coalesce(halves.parity_ratio, extremes.parity_ratio, limits.parity_ratio) as parity_ratio,
    binomial_deviation_(n, 1e0 / groups, floor(mean) + 1) / n as mean_absolute_deviation,
    case
        when groups = 2 then pairwise_bias / sqrt(2)
        when n = 1 then sqrt(1 - 1e0 / groups)
        when n = 2 then (sqrt(1 - 1e0 / groups) + (groups - 1) * sqrt(0.5e0 - 1e0 / groups)) / groups
        when n = 3 then (sqrt(1 - 1e0 / groups) + 3 * (groups - 1) * sqrt(5 / 9e0 - 1e0 / groups)
            + (groups - 1) * (groups - 2) * sqrt(greatest(0, 1 / 3e0 - 1e0 / groups))) / groups ** 2
        else sqrt(2 * (1 - 1e0 / n) / n / groups) * exp(
            lgamma((groups - 1) / (2 * (1 - 1e0 / n)) + 0.5e0) - lgamma((groups - 1) / (2 * (1 - 1e0 / n))))
    end as l2_discrepancy
from needed
left join pairs using (groups, n)
left join halves using (groups, n)
left join extremes using (groups, n)
left join limits using (groups, n)
