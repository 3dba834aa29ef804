-- The proportion of steered images that show the group they were steered to, of those that show any, and whether that
-- is more than the unguided images of the same prompt already do.
-- good: near 1
-- reads: unit_counts, cell_names, settings, unmeasured
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: success rate; Wilson, JASA 22 (1927); Fisher, JRSS 98 (1935)
-- read: by_chance is what the unguided images would reach if they were given the same directions: without guidance a
-- share of them show the group already. p_value is Fisher's exact test per group steered to, with Bonferroni over the
-- groups; the family of a q-value is all prompts of a sweep, model, setting, attribute and classifier.
with counted as (
    select
        judge, any_value(cell) as cell, any_value(attribute) as attribute, any_value(classifier) as classifier,
        steered_to, outcome, declared, sum(n)::bigint as n
    from unit_counts
    group by judge, steered_to, outcome, declared
),
steered as (
    select
        judge, any_value(cell) as cell, any_value(attribute) as attribute, any_value(classifier) as classifier,
        steered_to, sum(n)::bigint as images, coalesce(sum(n) filter (declared), 0)::bigint as n,
        coalesce(sum(n) filter (outcome = steered_to), 0)::bigint as reached
    from counted
    where steered_to is not null
    group by judge, steered_to
),
baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
),
unguided as (
    select
        sweep, model, prompt, attribute, classifier, outcome, sum(counted.n)::bigint as shown,
        sum(sum(counted.n)) over (partition by sweep, model, prompt, attribute, classifier)::bigint as n
    from counted
    join cell_names using (cell)
    join baselines using (sweep, model)
    where setting = versus and declared
    group by sweep, model, prompt, attribute, classifier, outcome
),
placed as (
    select steered.* exclude (cell), cell_names.* exclude (cell)
    from steered
    join cell_names using (cell)
    anti join unmeasured
        on unmeasured.sweep = cell_names.sweep and unmeasured.attribute = steered.attribute
        and unmeasured.classifier = steered.classifier and unmeasured.group = steered_to
),
compared as (
    select
        placed.*, base.n as base_n, coalesce(unguided.shown, 0) as shown,
        fisher_test(reached, placed.n, coalesce(unguided.shown, 0), base.n) as p
    from placed
    left join (select distinct sweep, model, prompt, attribute, classifier, n from unguided) as base
        using (sweep, model, prompt, attribute, classifier)
    left join unguided
        on unguided.sweep = placed.sweep and unguided.model = placed.model and unguided.prompt = placed.prompt
        and unguided.attribute = placed.attribute and unguided.classifier = placed.classifier
        and unguided.outcome = steered_to
),
tested as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, classifier,
        sum(images)::bigint as images, sum(n)::bigint as n, sum(reached)::bigint as reached,
        sum(n * shown / nullif(base_n, 0)::double) / nullif(sum(n), 0)::double as by_chance,
        if(count(p) = 0, null, least(1e0, count(p) * min(p))) as p_value
    from compared
    group by sweep, model, setting, prompt, attribute, classifier
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, images, n, reached,
    reached / nullif(n, 0)::double as steering,
    wilson_low(reached, n, z) as low,
    wilson_high(reached, n, z) as high,
    by_chance, p_value, q_value,
    coalesce(unseen_reason(n, null, classifier), if(p_value is null, 'no unguided image shows a declared group', null)) as reason
from q_values(
    'tested', {'sweep': sweep, 'model': model, 'setting': setting, 'attribute': attribute, 'classifier': classifier}
)
cross join (select interval_z(confidence_level(), 1) as z)
