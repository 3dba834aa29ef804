-- The normal distribution in plain SQL, to double precision.
-- [x] as a list of one is how a macro names a number that it needs more than once: DuckDB plans each mention by itself.

-- Hart's rational approximation as given by West, "Better approximations to cumulative normal functions" (2005).
create or replace macro normal_tail_(a) as case
    when a > 37e0 then 0e0
    when a < 7.07106781186547e0 then exp(-a * a / 2e0)
        * ((((((3.52624965998911e-02 * a + 0.700383064443688e0) * a + 6.37396220353165e0) * a
            + 33.912866078383e0) * a + 112.079291497871e0) * a + 221.213596169931e0) * a + 220.206867912376e0)
        / (((((((8.83883476483184e-02 * a + 1.75566716318264e0) * a + 16.064177579207e0) * a
            + 86.7807322029461e0) * a + 296.564248779674e0) * a + 637.333633378831e0) * a
            + 793.826512519948e0) * a + 440.413735824752e0)
    else exp(-a * a / 2e0) / (a + 1e0 / (a + 2e0 / (a + 3e0 / (a + 4e0 / (a + 0.65e0))))) / 2.506628274631e0
end;

create or replace macro normal_cdf(x) as case
    when x > 0 then 1e0 - normal_tail_(abs(x)) else normal_tail_(abs(x))
end;

-- Wichura's algorithm AS 241 (1988): the three regions of its rational approximation.
create or replace macro normal_quantile_middle_(q, r) as
    q * (((((((2509.0809287301226727e0 * r + 33430.575583588128105e0) * r + 67265.770927008700853e0) * r
        + 45921.953931549871457e0) * r + 13731.693765509461125e0) * r + 1971.5909503065514427e0) * r
        + 133.14166789178437745e0) * r + 3.387132872796366608e0)
    / (((((((5226.495278852854561e0 * r + 28729.085735721942674e0) * r + 39307.89580009271061e0) * r
        + 21213.794301586595867e0) * r + 5394.1960214247511077e0) * r + 687.1870074920579083e0) * r
        + 42.313330701600911252e0) * r + 1e0);
create or replace macro normal_quantile_outer_(r) as
    (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833e0) * r + 0.24178072517745061177e0) * r
        + 1.27045825245236838258e0) * r + 3.64784832476320460504e0) * r + 5.7694972214606914055e0) * r
        + 4.6303378461565452959e0) * r + 1.42343711074968357734e0)
    / (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966e0) * r
        + 0.14810397642748007459e0) * r + 0.68976733498510000455e0) * r + 1.6763848301838038494e0) * r
        + 2.05319162663775882187e0) * r + 1e0);
create or replace macro normal_quantile_far_(r) as
    (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386e0) * r
        + 0.026532189526576123093e0) * r + 0.29656057182850489123e0) * r + 1.7848265399172913358e0) * r
        + 5.4637849111641143699e0) * r + 6.6579046435011037772e0)
    / (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
        + 7.868691311456132591e-4) * r + 0.0148753612908506148525e0) * r + 0.13692988092273580531e0) * r
        + 0.59983220655588793769e0) * r + 1e0);
create or replace macro normal_quantile(p) as case
    when p <= 0 then '-infinity'::double
    when p >= 1 then 'infinity'::double
    when abs(p - 0.5e0) <= 0.425e0
        then normal_quantile_middle_(p - 0.5e0, 0.180625e0 - (p - 0.5e0) * (p - 0.5e0))
    when sqrt(-ln(least(p, 1e0 - p))) <= 5e0
        then sign(p - 0.5e0) * normal_quantile_outer_(sqrt(-ln(least(p, 1e0 - p))) - 1.6e0)
    else sign(p - 0.5e0) * normal_quantile_far_(sqrt(-ln(least(p, 1e0 - p))) - 5e0)
end;

-- The z of a two-sided level, shared out over `ways` simultaneous intervals (Bonferroni).
create or replace macro interval_z(level, ways) as list_transform(
    [1e0 - (1e0 - level) / (2e0 * ways)], lambda chance: normal_quantile(chance)
)[1];
