-- Student's t distribution in plain SQL, for a whole number of degrees of freedom.

-- P(|T| > t): the finite sums of Abramowitz & Stegun 26.7.3 and 26.7.4, whose terms are products of ratios; above 400
-- degrees of freedom Wallace's normal approximation (Annals of Mathematical Statistics 30, 1959).
create or replace macro student_terms_(cosine2, df) as list_sum(list_transform(
    range(0, ((df - df % 2) / 2)::bigint),
    lambda j: exp(j * ln(greatest(cosine2, 1e-300)) + if(
        df % 2 = 1,
        2e0 * lgamma(j + 1e0) + 2e0 * j * ln(2e0) - lgamma(2e0 * j + 2e0),
        lgamma(2e0 * j + 1e0) - 2e0 * lgamma(j + 1e0) - 2e0 * j * ln(2e0)
    ))
));
create or replace macro student_tail(t, df) as case
    when t is null or df is null or df < 1 then null
    when isinf(t::double) then 0e0
    when df > 400 then 2e0 * normal_tail_((8e0 * df + 1) / (8e0 * df + 3) * sqrt(df * ln(1e0 + t ** 2 / df)))
    when df % 2 = 1 then greatest(0e0, 1e0 - 2e0 / pi() * (
        atan(abs(t) / sqrt(df)) + coalesce(abs(t) / sqrt(df) / (1e0 + t ** 2 / df)
            * student_terms_(df / (df + t ** 2), df), 0e0)
    ))
    else greatest(0e0, 1e0 - abs(t) / sqrt(df + t ** 2) * student_terms_(df / (df + t ** 2), df))
end;

-- The t that |T| exceeds with probability p, by halving an interval sixty times.
create or replace macro student_bound(p, df) as list_avg(list_reduce(
    list_transform(range(60), lambda step: [0e0, 1e5]),
    lambda bounds, step: if(
        student_tail((bounds[1] + bounds[2]) / 2, df) > p,
        [(bounds[1] + bounds[2]) / 2, bounds[2]],
        [bounds[1], (bounds[1] + bounds[2]) / 2]
    ),
    [0e0, 1e5]
));
