-- Intervals of shares that hold at all times at once, however often one looks and whenever one stops: confidence sequences
-- (Howard et al., arXiv 1810.08240). Images of one stratum are independent with one chance each. Weighing all chances that
-- a group can have by Beta(1/2, 1/2) (Robbins, Annals of Mathematical Statistics 41, 1970; for more groups Dirichlet's) gives a
-- likelihood that, over that of the true chances, is a martingale from 1 on: it ever exceeds 1 / error with probability
-- `error` at most (Ville). Strata draw apart from each other, so that the product of theirs is one as well.
-- [x] as a list of one is how a macro names a number that it needs more than once.

-- ln of the mixture's likelihood of counts per group.
create or replace macro mixture_log_(counts) as
    list_sum(list_transform(counts, lambda k: lgamma(k + 0.5e0))) - len(counts) * lgamma(0.5e0)
    + lgamma(len(counts) / 2e0) - lgamma(list_sum(counts) + len(counts) / 2e0);

-- ln of the e-value of counts per group, drawn freely, against the shares that they are held to have: beyond
-- -ln(error) at any time, those shares are refuted with that error.
create or replace macro anytime_evidence(counts, shares) as mixture_log_(counts) - list_sum(list_transform(
    counts, lambda k, i: case when k = 0 then 0e0 when shares[i] <= 0 then '-infinity'::double else k * ln(shares[i]) end
));

-- Strata whose images do not all show a group weigh by chance, since only those that do count. But the share x is the mean,
-- over the images as they were dealt, of 1 for the group, 0 for another and x for none; and of chances in [0, 1] the
-- mixture is an e-value too (exp is convex). So x is in the interval where the interval of that mean holds x, and its
-- ends are fixed points, found from the outside. Of free draws an image without a group says nothing, and is left out.

-- The bounds of one group's share, each stratum weighing as many as its images that show a group: the least and the
-- greatest weighted mean of the strata's chances whose joint evidence is below -ln(error). On the way from the counts
-- to that bound all chances follow one multiplier (Lagrange): 1 - chance is the root of a square, and the multiplier's
-- logarithm is found by bisection.
-- The part of the images that has no group, as far as it counts, and the turns after which a fixed point is as good as found:
-- each takes that part off what is left.
create or replace macro anytime_lost_(strata) as if(len(strata) < 2, 0e0,
    list_sum(list_transform(strata, lambda s: s.missing)) / list_sum(list_transform(strata, lambda s: s.n + s.missing))::double
);
create or replace macro anytime_turns_(lost) as if(lost = 0, 1, least(12, ceil(-8e0 / ln(lost))))::bigint;
create or replace macro anytime_strata_(strata, i, others, x) as list_transform(
    list_transform(strata, lambda s: struct_pack(
        n := s.n, shown := if(others, s.n - s.counts[i], s.counts[i]), lost := if(len(strata) < 2, 0, s.missing)
    )),
    lambda s: struct_pack(
        n := (s.n + s.lost)::double, k := s.shown + x * s.lost, m := s.n - s.shown + (1e0 - x) * s.lost,
        w := (s.n + s.lost) / list_sum(list_transform(strata, lambda t: t.n + if(len(strata) < 2, 0, t.missing)))::double
    )
);
create or replace macro anytime_rest_(s, x) as
    2e0 * x * s.m / (s.w + x * s.n + sqrt((s.w - x * s.n) ** 2 + 4e0 * s.w * x * s.k));
create or replace macro anytime_reach_(parts, x) as list_sum(list_transform(parts, lambda s: list_transform(
    [anytime_rest_(s, x)],
    lambda rest: if(s.k > 0, s.k * ln(1e0 - rest), 0e0) + if(s.m > 0, s.m * ln(rest), 0e0)
)[1]));
create or replace macro anytime_multiplier_(parts, enough) as exp(list_reduce(
    list_transform(range(40), lambda step: [0e0, 0e0]),
    lambda ends, step: if(
        anytime_reach_(parts, exp((ends[1] + ends[2]) / 2e0)) < enough,
        [(ends[1] + ends[2]) / 2e0, ends[2]], [ends[1], (ends[1] + ends[2]) / 2e0]
    ),
    [-30e0, 10e0]
)[2]);
create or replace macro anytime_bound_(parts, error) as case
    when coalesce(list_sum(list_transform(parts, lambda s: s.m)), 0) = 0 then 1e0
    else 1e0 - list_transform(
        [anytime_multiplier_(
            parts, list_sum(list_transform(parts, lambda s: mixture_log_([s.k, s.m]))) + ln(error)
        )],
        lambda x: list_sum(list_transform(parts, lambda s: s.w * anytime_rest_(s, x)))
    )[1]
end;

create or replace macro anytime_end_(strata, i, others, error) as list_reduce(
    list_transform(range(anytime_turns_(anytime_lost_(strata))), lambda step: 1e0),
    lambda x, step: list_transform(
        [anytime_strata_(strata, i, others, x)], lambda parts: anytime_bound_(parts, error)
    )[1],
    1e0
);

-- strata: a list of (n, missing, counts per group): images with a group and without, one stratum where nothing is steered;
-- i: the group's position; error: the chance that the bounds ever miss.
create or replace macro anytime_high(strata, i, error) as anytime_end_(strata, i, false, error);
create or replace macro anytime_low(strata, i, error) as 1e0 - anytime_end_(strata, i, true, error);
