-- How many prompts of a cell amplify, reflect and mitigate the bias of a reference, by tolerance and by test.
-- good: mitigated
-- reads: reference_comparison
-- one row per: sweep, model, setting, attribute, classifier, reference, verdict
-- source: Fair Diffusion, Friedrich et al., arXiv 2302.10893
-- read: Prompts of too few images for a test count for none of its verdicts.
with verdicts as (
    select distinct sweep, model, setting, attribute, classifier, reference,
        unnest(['amplified', 'reflected', 'mitigated']) as verdict
    from reference_comparison
),
counted as (
    select
        verdicts.*,
        count(distance) as prompts,
        count(*) filter (reference_comparison.verdict = verdicts.verdict) as count,
        count(*) filter (tested_verdict = verdicts.verdict) as tested_count
    from verdicts
    join reference_comparison using (sweep, model, setting, attribute, classifier, reference)
    group by all
)
select
    * exclude (z),
    count / nullif(prompts, 0)::double as share,
    wilson_low(count, prompts, z) as low,
    wilson_high(count, prompts, z) as high,
    tested_count / nullif(prompts, 0)::double as tested_share
from counted
cross join (select interval_z(confidence_level(), 3) as z)
