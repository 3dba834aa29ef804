-- Distances between distributions, as functions of two aligned lists of shares: p observed, t the target.

create or replace macro total_variation_of(p, t) as
    list_sum(list_transform(p, lambda x, i: abs(x - t[i]))) / 2e0;

-- A share of 0 adds nothing; a share above 0 where the target is 0 makes the divergence infinite.
create or replace macro kl_term_(p, t) as case
    when p <= 0 then 0e0 when t <= 0 then 'infinity'::double else p * log2(p / t) end;
create or replace macro kl_divergence_of(p, t) as
    list_sum(list_transform(p, lambda x, i: kl_term_(x, t[i])));
create or replace macro jensen_shannon_of(p, t) as
    list_sum(list_transform(
        p, lambda x, i: (kl_term_(x, (x + t[i]) / 2e0) + kl_term_(t[i], (x + t[i]) / 2e0)) / 2e0
    ));
create or replace macro chi_square_of(p, t) as
    list_sum(list_transform(
        p,
        lambda x, i: case
            when t[i] > 0 then (x - t[i]) ** 2 / t[i] when x > 0 then 'infinity'::double else 0e0 end
    ));
create or replace macro relative_deviation_of(p, t) as
    list_avg(list_transform(
        list_filter(range(1, len(p) + 1), lambda i: t[i] > 0), lambda i: abs(p[i] - t[i]) / t[i]
    ));

-- The most by which the entropy of n images lies below the truth on average, in bits, whatever the shares of so many groups
-- (Paninski, Neural Computation 15, 2003, proposition 1).
create or replace macro entropy_bias(groups, n) as log2(1e0 + (groups - 1e0) / nullif(n, 0));

-- How unequal the shares are, whatever the target.
create or replace macro normalised_entropy_of(p) as
    if(len(p) < 2, null, list_sum(list_transform(p, lambda x: if(x > 0, -x * log2(x), 0e0))) / log2(len(p)));
create or replace macro parity_difference_of(p) as list_max(p) - list_min(p);
create or replace macro parity_ratio_of(p) as if(list_max(p) > 0, list_min(p) / list_max(p), null);
create or replace macro pairwise_bias_of(p) as
    list_sum(list_transform(p, lambda x: list_sum(list_transform(p, lambda y: abs(x - y)))))
    / nullif(len(p) * (len(p) - 1), 0);
create or replace macro l2_discrepancy_of(p) as
    sqrt(list_sum(list_transform(p, lambda x: (x - 1e0 / len(p)) ** 2)));
create or replace macro mean_absolute_deviation_of(p) as
    list_avg(list_transform(p, lambda x: abs(x - 1e0 / len(p))));

-- What total variation is on average for n images from the target: half the sum of the binomial mean deviations (De
-- Moivre's closed form; Diaconis & Zabell, Statistical Science 6, 1991). Exact for any number of groups.
create or replace macro binomial_deviation_(n, t, above) as
    2e0 * exp(ln(above) + lgamma(n + 1e0) - lgamma(above + 1e0) - lgamma(n - above + 1e0)
        + above * ln(t) + (n - above + 1e0) * ln(1e0 - t));
create or replace macro expected_total_variation(targets, n) as list_sum(list_transform(
    targets, lambda t: if(t <= 0 or t >= 1 or n = 0, 0e0, binomial_deviation_(n, t, floor(n * t) + 1e0))
)) / (2e0 * nullif(n, 0));

-- How much a distance may lie above its truth by chance alone, on average, where that is no nearer the target than `least`,
-- the least distance that its interval allows: all of the noise floor at the target, and less the farther away, as the
-- absolute value of a normal deviate whose mean is that far from 0; nothing from one and a half standard deviations on.
create or replace macro chance_left_(floor, u) as
    if(u >= 1.5e0, 0e0, floor * (exp(-(u * u) / 2e0) - u * sqrt(2e0 * pi()) * normal_tail_(u)));
create or replace macro chance_left(floor, least) as if(floor > 0, list_transform(
    [greatest(0e0, least) / (floor * sqrt(pi() / 2e0))], lambda u: chance_left_(floor, u)
)[1], 0e0);
