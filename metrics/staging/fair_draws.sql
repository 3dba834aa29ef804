-- What a perfectly fair model would draw: for each n that occurs, the shares of samples of n images from the target and
-- from the uniform distribution, each with its weight. Exact for two groups (every outcome with its binomial
-- probability); for more, 500 draws per n, from the normal limit above 200 images.
-- reads: group_counts
-- one row per: fair distribution, n, possible sample
with needed as (
    select distinct unnest([targets, uniform]) as fair, floor_n as n from group_counts where n > 0
),
exact as (
    select fair, n, k, exp(binomial_log_(k, n, fair[1])) as weight
    from (
        select
            *,
            unnest(range(
                greatest(0, floor(n * fair[1] - 9 * sqrt(n * fair[1] * fair[2])))::bigint,
                least(n, ceil(n * fair[1] + 9 * sqrt(n * fair[1] * fair[2])))::bigint + 1
            )) as k
        from needed
        where len(fair) = 2 and fair[1] > 0 and fair[1] < 1
    )
),
cumulative as (
    select
        *, list_transform(range(1, len(fair) + 1), lambda i: list_sum(fair[1:i])) as upto, unnest(range(500)) as draw
    from needed
    where len(fair) <> 2 or fair[1] <= 0 or fair[1] >= 1
),
images as (
    select
        *,
        list_transform(range(n), lambda i: uniform_draw(draw || ' ' || i)) as draws
    from cumulative
    where n <= 200
),
sampled as (
    select
        fair, n,
        list_transform(
            range(1, len(fair) + 1),
            lambda g: len(list_filter(
                draws, lambda u: u <= if(g = len(fair), 1e0, upto[g]) and (g = 1 or u > upto[g - 1])
            )) / n::double
        ) as shares
    from images
),
quantiles as (
    select *, list_transform(range(1, len(fair) + 1), lambda g: uniform_draw(draw || ' ' || g)) as quantiles
    from cumulative
    where n > 200
),
deviates as (
    select *, list_transform(quantiles, lambda u, g: sqrt(fair[g]) * normal_quantile(u)) as deviates from quantiles
),
limited as (
    select
        fair, n,
        list_transform(
            range(1, len(fair) + 1),
            lambda g: greatest(0e0, fair[g] + (deviates[g] - fair[g] * list_sum(
                list_transform(range(1, len(fair) + 1), lambda h: sqrt(fair[h]) * deviates[h])
            )) / sqrt(n))
        ) as shares
    from deviates
)
select fair, n, [k / n::double, (n - k) / n::double] as shares, weight from exact
union all
select fair, n, shares, 1 / 500e0 from sampled
union all
select fair, n, list_transform(shares, lambda x: x / list_sum(shares)), 1 / 500e0 from limited
