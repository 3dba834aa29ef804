-- Whether a prompt is found off target, with Benjamini and Hochberg's q-value over all prompts of a cell: the exact
-- binomial test for two groups, for more the exact multinomial test of Pearson's statistic, or where its outcomes are too
-- many to list (more than 20,000) Bonferroni over the groups' exact binomial tests.
-- good: on target
-- reads: group_counts, multinomial_tails, test_limits
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Benjamini & Hochberg, JRSS B 57 (1995); Hoeffding, Annals of Mathematical Statistics 27 (1956)
-- summary: count(*) filter (verdict = 'off target') as prompts_off_target, count(*) filter (verdict = 'not decided') as prompts_not_decided, min(least_difference) as least_difference
-- read: The null: the images of the prompt are independent and the mean of their chances is the target. Where
-- directions are dealt by quota the chances differ from image to image, which only makes the test conservative
-- (Hoeffding). The family of a q-value is all prompts of a sweep, model, setting, attribute and classifier. least_p is
-- the least p-value that n images can give, least_difference the least total variation that n images can find; no
-- verdict where nothing could be found, or where more than missing_tolerance() of the images show no group.
with described as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, images, n, missing, counts, targets,
        possible_groups(targets) as fair, round(n * chi_square_of(shares, targets), 7) as statistic
    from group_counts
),
bounded as (
    select * from described left join test_limits using (fair, n)
),
tested as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, bounded.n, images, missing,
        case
            when isinf(bounded.statistic) then 0e0
            when is_listed(bounded.n, len(bounded.fair)) then multinomial_tails.p_value
            else binomial_tests(counts, bounded.n, targets)
        end as p_value,
        least_p, least_difference
    from bounded
    asof left join multinomial_tails
        on multinomial_tails.fair = bounded.fair and multinomial_tails.n = bounded.n
        and bounded.statistic - 1e-6 <= multinomial_tails.statistic
)
select
    *,
    case
        when q_value is null then 'no images'
        when q_value <= false_discovery_rate() then 'off target'
        when missing > missing_tolerance() * images or least_difference is null and least_p < 1 then 'not decided'
        else 'on target'
    end as verdict
from q_values(
    'tested', {'sweep': sweep, 'model': model, 'setting': setting, 'attribute': attribute, 'classifier': classifier}
)
