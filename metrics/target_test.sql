-- Whether a prompt is off target: the exact binomial test for two groups, Pearson's chi-square for more, with
-- Benjamini and Hochberg's q-value over all prompts of a cell.
-- good: on target
-- reads: distributions
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Benjamini & Hochberg, JRSS B 57 (1995)
-- summary: count(*) filter (verdict = 'off target') as prompts_off_target
with described as (
    select
        *,
        list_filter(range(1, len(targets) + 1), lambda i: targets[i] > 0) as wanted,
        n * chi_square_of(shares, targets) as statistic
    from distributions
),
tested as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, n,
        case
            when n = 0 then null
            when isinf(statistic) then 0e0
            when len(wanted) < 2 then 1e0
            when len(wanted) = 2 then binomial_test(counts[wanted[1]], n, targets[wanted[1]])
            else chi_square_tail(statistic, len(wanted) - 1)
        end as p_value
    from described
),
ranked as (
    select
        *,
        p_value * count(p_value) over (partition by sweep, model, setting, attribute, classifier)
            / row_number() over (
                partition by sweep, model, setting, attribute, classifier order by p_value nulls last
            ) as step
    from tested
),
adjusted as (
    select
        * exclude (step),
        if(p_value is null, null, least(1e0, min(step) over (
            partition by sweep, model, setting, attribute, classifier
            order by p_value nulls last
            rows between current row and unbounded following
        ))) as q_value
    from ranked
)
select
    *,
    case
        when q_value is null then 'no images'
        when q_value <= false_discovery_rate() then 'off target'
        else 'on target'
    end as verdict
from adjusted
