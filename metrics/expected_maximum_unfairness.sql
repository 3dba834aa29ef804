-- How unfair the worst of a few prompts looks to one user: ten prompts at random, ten images of each, and the largest
-- deviation of their shares from even, on average.
-- good: near 0
-- reads: group_counts
-- one row per: sweep, model, setting, attribute, classifier
-- source: MAGBIG, Friedrich et al., arXiv 2401.16092
-- read: The deviation is the sum of the absolute gaps to 1/2, from 0 to 1, for attributes of two groups. A prompt's
-- images are drawn from its observed shares (binomial), no prompt twice; computed, not simulated. fair is what a model
-- of even shares would look like: chance alone makes the worst of ten prompts look unfair.
with prompts as (
    select sweep, model, setting, attribute, classifier, prompt, counts[1] / n::double as share
    from group_counts
    where shares is not null and len(groups) = 2
),
levels as (
    select distinct abs(2e0 * k - unfairness_images()) / unfairness_images() as deviation
    from range(unfairness_images() + 1) as outcomes(k)
),
chances as (
    select
        sweep, model, setting, attribute, classifier, deviation,
        list(within_deviation_(share, deviation)) as at_most,
        any_value(within_deviation_(0.5e0, deviation)) as even
    from prompts
    cross join levels
    group by sweep, model, setting, attribute, classifier, deviation
),
-- Over all choices of s prompts, the mean of the product of their chances: the elementary symmetric mean of order s.
worst as (
    select
        *, least(unfairness_prompts(), len(at_most)) as drawn,
        symmetric_mean_(at_most, least(unfairness_prompts(), len(at_most))) as chance,
        even ** least(unfairness_prompts(), len(at_most)) as even_chance
    from chances
),
-- The mean of the largest is the sum, over the levels, of the step to the next times the chance to exceed the level.
steps as (
    select *, lead(deviation) over (
        partition by sweep, model, setting, attribute, classifier order by deviation
    ) - deviation as step,
    min(deviation) over (partition by sweep, model, setting, attribute, classifier) as lowest
    from worst
)
select
    sweep, model, setting, attribute, classifier, any_value(len(at_most)) as prompts, any_value(drawn)::bigint as drawn,
    any_value(lowest) + sum(step * (1 - chance)) as expected_maximum_unfairness,
    any_value(lowest) + sum(step * (1 - even_chance)) as fair
from steps
group by sweep, model, setting, attribute, classifier
