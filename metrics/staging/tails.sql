-- Tail probabilities for the tests, in plain SQL.

-- P(chi-square with df degrees of freedom > x), df a whole number from 1: the recurrence
-- Q(a + 1, y) = Q(a, y) + y^a exp(-y) / gamma(a + 1), from Q(1/2, y) = erfc(sqrt y) and Q(1, y) = exp(-y).
create or replace macro chi_square_tail(x, df) as case
    when x is null or df is null or df < 1 then null
    when x <= 0 then 1e0
    when isinf(x::double) then 0e0
    else least(1e0, if(df % 2 = 1, 2e0 * normal_tail_(sqrt(x::double)), exp(-x::double / 2e0)) + coalesce(
        list_sum(list_transform(
            range(0, ((df - 1) // 2)::bigint),
            lambda i: exp((i + 1e0 - (df % 2) / 2e0) * ln(x::double / 2e0) - x::double / 2e0
                - lgamma(i + 2e0 - (df % 2) / 2e0))
        )), 0e0))
end;

create or replace macro binomial_log_(k, n, p) as
    lgamma(n + 1e0) - lgamma(k + 1e0) - lgamma(n - k + 1e0) + k * ln(p::double) + (n - k) * ln(1e0 - p);
-- The sum runs away from the mean and stops where the terms are nothing beside the first.
create or replace macro binomial_sum_(first, last, n, p) as coalesce(
    list_sum(list_transform(range(first::bigint, last::bigint + 1), lambda i: exp(binomial_log_(i, n, p)))), 0e0);

-- P(X >= k) for X binomial(n, p).
create or replace macro binomial_tail(k, n, p) as case
    when k is null or n is null or p is null then null
    when k <= 0 then 1e0
    when k > n or p <= 0 then 0e0
    when p >= 1 then 1e0
    when k > n * p then least(1e0, binomial_sum_(k, least(n, k + 40 + 8 * sqrt(n)), n, p))
    else greatest(0e0, 1e0 - binomial_sum_(greatest(0, k - 41 - 8 * sqrt(n)), k - 1, n, p))
end;

-- Twice the smaller tail, as in Clopper-Pearson: the exact two-sided test of k out of n against p.
create or replace macro binomial_test(k, n, p) as
    if(n = 0, null, least(1e0, 2e0 * least(binomial_tail(k, n, p), binomial_tail(n - k, n, 1e0 - p))));
