-- The prompts of a cell by how far they are off target, the worst first.
-- good: -
-- reads: total_variation, target_test
-- one row per: sweep, model, setting, attribute, classifier, rank
-- source: total variation distance; q-values as in target_test
select
    sweep, model, setting, attribute, classifier,
    row_number() over (
        partition by sweep, model, setting, attribute, classifier
        order by total_variation desc nulls last, q_value, prompt
    ) as rank,
    prompt, prompt_name, n, total_variation, low, high, noise_floor, q_value, verdict, total_variation.reason
from total_variation
join target_test using (sweep, model, setting, prompt, prompt_name, attribute, classifier, n)
