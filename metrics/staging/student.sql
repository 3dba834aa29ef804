-- Student's t distribution in plain SQL, for a whole number of degrees of freedom.
-- [x] as a list of one is how a macro names a number that it needs more than once.

-- P(|T| > t): up to 30 degrees of freedom the finite sums of Abramowitz & Stegun 26.7.3 and 26.7.4, whose terms are
-- products of ratios; above, Hill's normal expansion (Algorithm 395, Communications of the ACM 13, 1970), within 1e-8
-- of the tail for p above 1e-6.
create or replace macro student_terms_(cosine2, df) as list_sum(list_transform(
    range(0, ((df - df % 2) / 2)::bigint),
    lambda j: exp(j * ln(greatest(cosine2, 1e-300)) + if(
        df % 2 = 1,
        2e0 * lgamma(j + 1e0) + 2e0 * j * ln(2e0) - lgamma(2e0 * j + 2e0),
        lgamma(2e0 * j + 1e0) - 2e0 * lgamma(j + 1e0) - 2e0 * j * ln(2e0)
    ))
));
create or replace macro student_normal_(t, df) as list_transform(
    [(df - 0.5e0) * ln(1e0 + t ** 2 / df)],
    lambda y: ((((((-0.4e0 * y - 3.3e0) * y - 24e0) * y - 85.5e0)
        / (0.8e0 * y ** 2 + 100e0 + 48e0 * (df - 0.5e0) ** 2) + y + 3e0) / (48e0 * (df - 0.5e0) ** 2)) + 1e0) * sqrt(y)
)[1];
create or replace macro student_tail(t, df) as case
    when t is null or df is null or df < 1 then null
    when isinf(t::double) then 0e0
    when df > 30 then list_transform([student_normal_(t, df)], lambda deviation: 2e0 * normal_tail_(deviation))[1]
    when df % 2 = 1 then greatest(0e0, 1e0 - 2e0 / pi() * (
        atan(abs(t) / sqrt(df)) + coalesce(abs(t) / sqrt(df) / (1e0 + t ** 2 / df)
            * student_terms_(df / (df + t ** 2), df), 0e0)
    ))
    else greatest(0e0, 1e0 - abs(t) / sqrt(df + t ** 2) * student_terms_(df / (df + t ** 2), df))
end;

-- The t that |T| exceeds with probability p: Hill's Algorithm 396 (Communications of the ACM 13, 1970), within 5e-6, and
-- one step of Newton's method from there.
-- s holds its a, b, c and d times p, x is the normal quantile of p / 2, and y is (d p) ** (2 / df).
create or replace macro student_steps_(p, df, a) as struct_pack(
    p := p, df := df::double, a := a, b := 48e0 / a ** 2, c := ((431.25e0 * a ** 3 - 98e0) * a - 16e0) * a + 96.36e0
);
create or replace macro student_near_(s, x, c) as exp(s.a * (((((0.4e0 * x ** 2 + 6.3e0) * x ** 2 + 36e0) * x ** 2 + 94.5e0)
    / ((((0.05e0 * s.d * x - 5e0) * x - 7e0) * x - 2e0) * x + s.b + c) - x ** 2 - 3e0) / s.b * x + x) ** 2) - 1e0;
create or replace macro student_far_(y, s) as (
    (1e0 / (((s.df + 6e0) / (s.df * y) - 0.089e0 * s.d - 0.822e0) * (s.df + 2e0) * 3e0) + 0.5e0 / (s.df + 4e0)) * y - 1e0
) * (s.df + 1e0) / (s.df + 2e0) + 1e0 / y;
create or replace macro student_root_(s, y) as sqrt(s.df * if(y > 0.05e0 + s.a, list_transform(
    list_transform([s.p / 2e0], lambda half: normal_quantile(half)),
    lambda x: student_near_(s, x, s.c + if(s.df < 5, 0.3e0 * (s.df - 4.5e0) * (x + 0.6e0), 0e0))
)[1], student_far_(y, s)));
create or replace macro student_density_(t, df) as exp(
    lgamma((df + 1e0) / 2e0) - lgamma(df / 2e0) - ln(df * pi()) / 2e0 - (df + 1e0) / 2e0 * ln(1e0 + t ** 2 / df)
);
create or replace macro student_newton_(t, p, df) as t + (student_tail(t, df) - p) / (2e0 * student_density_(t, df));
create or replace macro student_bound(p, df) as case
    when p is null or df is null or df < 1 then null
    when df = 1 then 1e0 / tan(pi() * p / 2e0)
    when df = 2 then sqrt(2e0 / (p * (2e0 - p)) - 2e0)
    else list_transform(list_transform(
        list_transform([student_steps_(p, df, 1e0 / (df - 0.5e0))], lambda steps: struct_pack(
            p := steps.p, df := steps.df, a := steps.a, b := steps.b, c := steps.c,
            d := ((94.5e0 / (steps.b + steps.c) - 3e0) / steps.b + 1e0) * sqrt(steps.a * pi() / 2e0) * steps.df
        )),
        lambda steps: student_root_(steps, (steps.d * steps.p) ** (2e0 / steps.df))
    ), lambda near: student_newton_(near, p, df))[1]
end;
