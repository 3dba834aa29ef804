-- Wilson's score interval of k out of n at normal quantile z (JASA 22, 1927); [0, 1] when nothing was seen.
-- With interval_z(level, groups) the intervals of several groups hold together (Goodman, Technometrics 7, 1965).
create or replace macro wilson_centre_(k, n, z) as (k + z * z / 2e0) / (n + z * z);
create or replace macro wilson_half_(k, n, z) as z * sqrt(k * (n - k) / n::double + z * z / 4e0) / (n + z * z);
create or replace macro wilson_low(k, n, z) as case
    when n = 0 or k = 0 then 0e0 else greatest(0e0, wilson_centre_(k, n, z) - wilson_half_(k, n, z)) end;
create or replace macro wilson_high(k, n, z) as case
    when n = 0 or k = n then 1e0 else least(1e0, wilson_centre_(k, n, z) + wilson_half_(k, n, z)) end;
