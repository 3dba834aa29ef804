-- Shares of images whose directions were dealt by quota: strata whose sizes are fixed, so that chance acts within each
-- alone. Price and Bonett's interval (Computational Statistics & Data Analysis 45, 2004) for the weighted sum of the strata's
-- proportions: z squared successes and failures in all, shared by the strata. With one stratum it is Agresti and Coull's
-- (The American Statistician 52, 1998), Wilson's with its centre kept and its width no longer too narrow for rare groups.
-- A stratum: images made, n of them with a declared group, counts per group.

-- Counts by name as a list in the order of the groups.
create or replace macro align_counts(groups, names, counts) as list_transform(
    groups, lambda g: coalesce(counts[list_position(names, g)], 0)::bigint
);
-- The strata as what the steps below read: each one's weight, the share of its images that had a group, the factor of
-- its variance, and its shares with its part of z squared pseudo-images.
create or replace macro shrunken(strata, n, z, ways) as list_transform(strata, lambda s: struct_pack(
    weight := s.n / n::double, kept := s.n / s.images::double,
    factor := s.n * s.n / (s.n + z * z / ways) / (n * n)::double,
    shares := list_transform(s.counts, lambda k: (k + z * z / (2e0 * ways)) / (s.n + z * z / ways))
));
create or replace macro strata_centre(shrunk, i) as list_sum(list_transform(shrunk, lambda s: s.weight * s.shares[i]));
-- The variance of a ratio of sums over strata, the images without a group being chance as well (Cochran, Sampling
-- Techniques, 6.11): without losses it is the sum of w^2 p (1 - p) / n over the strata.
create or replace macro strata_variance(shrunk, i, centre) as list_sum(list_transform(shrunk, lambda s: s.factor * (
    s.shares[i] * (1e0 - centre) ** 2 + (1e0 - s.shares[i]) * centre ** 2 - s.kept * (s.shares[i] - centre) ** 2
)));

-- Agresti and Coull's interval of k out of n at normal quantile z; [0, 1] when nothing was seen.
create or replace macro share_centre_(k, n, z) as (k + z * z / 2e0) / (n + z * z);
create or replace macro share_half_(centre, n, z) as z * sqrt(centre * (1e0 - centre) / (n + z * z));
create or replace macro share_low(k, n, z) as if(
    n = 0 or k = 0, 0e0, least(k / n::double, greatest(0e0, share_centre_(k, n, z) - share_half_(share_centre_(k, n, z), n, z)))
);
create or replace macro share_high(k, n, z) as if(
    n = 0 or k = n, 1e0, greatest(k / n::double, least(1e0, share_centre_(k, n, z) + share_half_(share_centre_(k, n, z), n, z)))
);
