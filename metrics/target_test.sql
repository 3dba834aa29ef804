-- Whether a prompt is found off target, with Benjamini and Hochberg's q-value over all prompts of a cell: the exact
-- binomial test for two groups, for more the exact multinomial test of Pearson's statistic, or where its outcomes are too
-- many to list (more than 20,000) Bonferroni over the groups' exact binomial tests.
-- good: on target
-- reads: group_counts
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Benjamini & Hochberg, JRSS B 57 (1995); Hoeffding, Annals of Mathematical Statistics 27 (1956)
-- summary: count(*) filter (verdict = 'off target') as prompts_off_target, count(*) filter (verdict in ('not decided', 'no images')) as prompts_not_decided, min(least_difference) as least_difference
-- read: The null: the images of the prompt are independent and the mean of their chances is the target. Where
-- directions are dealt by quota the chances differ from image to image, which only makes the test conservative
-- (Hoeffding). The family of a q-value is all prompts of a sweep, model, setting, attribute and classifier. least_p is
-- the least p-value that n images can give, least_difference the least total variation that n images can find; no
-- verdict where nothing could be found, or where more than missing_tolerance() of the images show no group; what a classifier
-- that cannot tell a declared group says is not measured.
with described as materialized (
    select
        row_number() over () as test, sweep, model, setting, prompt, prompt_name, attribute, classifier, images, n,
        missing, counts, targets, reason, possible_groups(targets) as fair,
        round(n * chi_square_of(shares, targets), 7) as statistic
    from group_counts
),
needed as (
    select distinct fair, n from described where n > 0
),
listed as materialized (
    from multinomial_tails('needed')
),
counted as materialized (
    from binomial_tails('needed')
),
-- What n images can find at all.
possible as (
    select fair, n, p_value, variation from listed
    union all
    select fair, parts.n, least(1e0, group_tests(len(fair)) * p_value), difference
    from (select *, unnest(fair) as share from needed where not is_listed(n, len(fair))) as parts
    join counted on counted.share = parts.share and counted.n = parts.n
    union all
    -- Of a target that only one group has, a single image of another is found.
    select fair, n, 0e0, 1e0 / n from needed where len(fair) = 1
),
limits as (
    select
        fair, n, min(p_value) as least_p, min(variation) filter (p_value <= false_discovery_rate()) as least_difference
    from possible
    group by fair, n
),
-- Counts too far from their mean for the table are computed one by one.
parts as (
    select test, n, unnest(counts) as count, unnest(targets) as share, len(fair) as groups
    from described
    where n > 0 and reason is null and not is_listed(n, len(fair))
),
by_group as (
    select
        test, least(1e0, group_tests(any_value(groups)) * min(
            coalesce(p_value, if(share < 1, binomial_test(parts.count, parts.n, share), 1e0))
        )) as p_value
    from parts
    left join counted using (share, n, count)
    where share > 0
    group by test
),
bounded as (
    select described.*, least_p, least_difference, by_group.p_value as group_p
    from described
    left join limits using (fair, n)
    left join by_group using (test)
),
tested as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, bounded.n, images, missing,
        case
            when reason is not null then null
            when isinf(bounded.statistic) then 0e0
            when is_listed(bounded.n, len(bounded.fair)) then listed.p_value
            else group_p
        end as p_value,
        if(reason is null, least_p, null) as least_p, if(reason is null, least_difference, null) as least_difference,
        reason
    from bounded
    asof left join listed
        on listed.fair = bounded.fair and listed.n = bounded.n
        and bounded.statistic - 1e-6 <= listed.statistic
)
select
    * exclude (reason),
    case
        when reason is not null then if(n > 0, 'not measured', 'no images')
        when q_value <= false_discovery_rate() then 'off target'
        when missing > missing_tolerance() * images or least_difference is null then 'not decided'
        else 'on target'
    end as verdict,
    reason
from q_values(
    'tested', {'sweep': sweep, 'model': model, 'setting': setting, 'attribute': attribute, 'classifier': classifier}
)
