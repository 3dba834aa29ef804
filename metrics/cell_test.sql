-- Whether all images of a cell together show the groups as often as the target asks: what many prompts of few images
-- can find that none of them can find alone.
-- good: high p
-- reads: seed_counts, unmeasured
-- one row per: sweep, model, setting, attribute, classifier
-- source: Student's t over seeds (Student, Biometrika 6, 1908), with the design effect of Kish, Survey Sampling (1965)
-- summary: max(p_value) as cell_p, max(q_value) as cell_q, max(least_difference) as cell_least_difference
-- read: The null: each group's share over all images of these prompts is its target. Seeds vary; prompts do not, and
-- prompts that err to opposite sides cancel here, which target_test sees. More than two groups are Bonferroni's. The
-- family of a q-value is all cells of a sweep, attribute and classifier. least_difference is the smallest difference of
-- a group's share that would have been significant by itself. Without seeds (imported counts) each image counts as a
-- seed. A classifier that cannot tell a declared group measures none of the attribute's.
with cells as (
    select
        sweep, model, setting, attribute, classifier, seed, n, unnest(range(1, len(targets) + 1)) as part,
        unnest(counts) as count, unnest(targets) as target,
        dense_rank() over (order by sweep, model, setting, attribute, classifier) as cell
    from seed_counts
),
shared as (
    select *, sum(count) over part / nullif(sum(n) over part, 0)::double as share
    from cells
    window part as (partition by cell, part)
),
parts as (
    select
        cell, part, seed, n, count - n * target as total, n * target * (1 - target) as null_variance,
        n * share * (1 - share) as seen_variance
    from shared
),
tested as (
    select distinct
        sweep, model, setting, attribute, classifier, seeds, tests.n, if(untold is null, p_value, null) as p_value,
        if(untold is null, least_difference, null) as least_difference,
        coalesce(unseen_reason(tests.n, untold, classifier), if(seeds < 2, too_few(seeds, 'seed', 'a test'), null)) as reason
    from cells
    join seed_tests('parts', 0.5e0) as tests using (cell)
    left join (
        select sweep, attribute, classifier, list("group" order by "group") as untold from unmeasured group by all
    ) using (sweep, attribute, classifier)
)
select * from q_values('tested', {'sweep': sweep, 'attribute': attribute, 'classifier': classifier})
