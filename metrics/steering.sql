-- The proportion of steered images that show the group they were steered to, of those that show any, and whether that
-- is more than the unguided images of the same prompt already do.
-- good: near 1
-- reads: outcomes, settings
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: success rate; Wilson, JASA 22 (1927); Fisher, JRSS 98 (1935)
-- read: by_chance is what the unguided images would reach if they were given the same directions: without guidance a
-- share of them show the group already. p_value is Fisher's exact test per group steered to, with Bonferroni over the
-- groups; the family of a q-value is all prompts of a sweep, model, setting, attribute and classifier.
with steered as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier, steered_to,
        count(*) as images,
        count(position) as n,
        count(*) filter (outcome = steered_to) as reached
    from outcomes
    where steered_to is not null
    group by sweep, model, setting, prompt, attribute, classifier, steered_to
),
baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
),
unguided as (
    select sweep, model, prompt, attribute, classifier, outcome, count(*) as shown,
        sum(count(*)) over (partition by sweep, model, prompt, attribute, classifier)::bigint as n
    from outcomes
    join baselines using (sweep, model)
    where setting = versus and position is not null
    group by sweep, model, prompt, attribute, classifier, outcome
),
compared as (
    select
        steered.*, base.n as base_n, coalesce(unguided.shown, 0) as shown,
        fisher_test(reached, steered.n, coalesce(unguided.shown, 0), base.n) as p
    from steered
    left join (select distinct sweep, model, prompt, attribute, classifier, n from unguided) as base
        using (sweep, model, prompt, attribute, classifier)
    left join unguided
        on unguided.sweep = steered.sweep and unguided.model = steered.model and unguided.prompt = steered.prompt
        and unguided.attribute = steered.attribute and unguided.classifier = steered.classifier
        and unguided.outcome = steered_to
),
tested as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier,
        sum(images)::bigint as images, sum(n)::bigint as n, sum(reached)::bigint as reached,
        sum(n * shown / nullif(base_n, 0)::double) / nullif(sum(n), 0)::double as by_chance,
        least(1e0, count(p) * min(p)) as p_value
    from compared
    group by sweep, model, setting, prompt, attribute, classifier
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, images, n, reached,
    reached / nullif(n, 0)::double as steering,
    wilson_low(reached, n, z) as low,
    wilson_high(reached, n, z) as high,
    by_chance, p_value, q_value
from q_values(
    'tested', {'sweep': sweep, 'model': model, 'setting': setting, 'attribute': attribute, 'classifier': classifier}
)
cross join (select interval_z(confidence_level(), 1) as z)
