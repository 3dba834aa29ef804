-- Tests of a few counts against a distribution that hold at any n.

-- The groups that may occur at all; an image of another is impossible, and p is 0.
create or replace macro possible_groups(shares) as list_filter(shares, lambda x: x > 0);
create or replace macro impossible_(counts, shares) as
    list_bool_or(list_transform(range(1, len(shares) + 1), lambda i: shares[i] <= 0 and counts[i] > 0));

-- Whether all outcomes of n images of g groups are listed in multinomial_tails: (n + g - 1) over (g - 1) of them.
create or replace macro is_listed(n, g) as
    g > 2 and n > 0 and lgamma(n + g::double) - lgamma(n + 1e0) - lgamma(g::double) < ln(20000e0);

-- How many of the groups' own tests there are: of two groups, one says all of the other.
create or replace macro group_tests(g) as if(g > 2, g, 1);

-- (A lambda's variable must not be one that a macro inside it uses for its own.)
-- Bonferroni over the groups' own exact binomial tests: never above its level, whatever n and however rare a group.
create or replace macro binomial_tests(counts, n, shares) as case
    when n = 0 then null
    when impossible_(counts, shares) then 0e0
    else least(1e0, group_tests(len(possible_groups(shares))) * list_min(list_transform(
        range(1, len(shares) + 1),
        lambda place: if(shares[place] > 0 and shares[place] < 1, binomial_test(counts[place], n, shares[place]), 1e0)
    )))
end;

-- Fisher's exact test of k out of n against j out of m, twice the smaller tail of the hypergeometric distribution.
create or replace macro hypergeometric_log_(x, n, m, k) as
    lgamma(n + 1e0) - lgamma(x + 1e0) - lgamma(n - x + 1e0) + lgamma(m + 1e0) - lgamma(k - x + 1e0)
    - lgamma(m - k + x + 1e0) - lgamma(n + m + 1e0) + lgamma(k + 1e0) + lgamma(n + m - k + 1e0);
create or replace macro hypergeometric_sum_(first, last, n, m, k) as coalesce(list_sum(list_transform(
    range(greatest(first, k - m, 0)::bigint, least(last, k, n)::bigint + 1),
    lambda x: exp(hypergeometric_log_(x, n, m, k))
)), 0e0);
create or replace macro fisher_test(k, n, j, m) as if(n > 0 and m > 0, least(1e0, 2e0 * least(
    hypergeometric_sum_(0, k, n, m, k + j), hypergeometric_sum_(k, n, n, m, k + j)
)), null);

-- Bonferroni over the groups' own exact tests of two samples.
create or replace macro fisher_tests(counts, n, others, m) as least(1e0, group_tests(len(counts)) * list_min(
    list_transform(range(1, len(counts) + 1), lambda place: fisher_test(counts[place], n, others[place], m))
));
