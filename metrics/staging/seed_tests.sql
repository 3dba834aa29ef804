-- Whether the mean of some numbers differs from 0, where the numbers of one seed belong together. `source` names a CTE of:
-- cell, part, seed, total, n: per seed the sum over its n numbers, and the sum of the variances that they
-- would have under the null, and by what is seen, were they independent (null_variance, seen_variance). The parts of a cell (its groups) are tested together, by Bonferroni.
-- Student's t over the seeds, whose variance is the null's own times what the seeds add to it (the design effect, Kish,
-- Survey Sampling, 1965), at least one: seeds that happen to agree never look sure. With one seed there is no test. Where the seed is null (imported counts)
-- each number is a seed of its own.
-- `correction` is Yates's: half the step of a total (JRSS Supplement 1, 1934).
create or replace macro seed_tests(source, correction) as table
with summed as (
    select
        cell, part, sum(if(seed is null, n, 1))::bigint as seeds, sum(n)::bigint as n,
        sum(total) / sum(n)::double as mean, sum(null_variance) / sum(n)::double ** 2 as null_variance,
        sum(seen_variance) / sum(n)::double ** 2 as seen_variance
    from query_table(source)
    where n > 0
    group by cell, part
),
spread as (
    select
        cell, part, coalesce(sum((numbers.total - numbers.n * summed.mean) ** 2) filter (seed is not null), 0e0)
            / any_value(summed.n)::double ** 2 * any_value(seeds) / nullif(any_value(seeds) - 1, 0) as seed_variance
    from query_table(source) as numbers
    join summed using (cell, part)
    where numbers.n > 0
    group by cell, part
),
errors as (
    select
        *, sqrt(null_variance * greatest(1e0, coalesce(seed_variance / nullif(seen_variance, 0), 1e0))) as error,
        group_tests(count(*) over (partition by cell)) as tests
    from summed
    join spread using (cell, part)
),
-- Once for each number of seeds, which most cells share.
bounds as materialized (
    select tests, seeds, student_bound(false_discovery_rate() / tests, seeds - 1) as bound
    from (select distinct tests, seeds from errors where seeds > 1)
),
tested as (
    select
        errors.*, bound, case
            when seeds < 2 then null
            when error > 0 then student_tail(greatest(0e0, abs(mean) - correction / n) / error, seeds - 1)
            -- What the null rules out: a group whose target is 0.
            when mean <> 0 then 0e0
            else 1e0
        end as p
    from errors
    left join bounds using (tests, seeds)
)
select
    cell, any_value(seeds) as seeds, any_value(n) as n, least(1e0, any_value(tests) * min(p)) as p_value,
    max(if(error > 0, bound * error + correction / n, if(bound is null, null, 1e0 / n))) as least_difference
from tested
group by cell
