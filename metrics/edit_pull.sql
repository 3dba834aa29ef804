-- Which way editing pulls: how many more edited images show a group than their source pictures did, for each prompt, and
-- over all prompts (prompt is null), with McNemar's exact test.
-- good: near 0
-- reads: edits, place_names, targets, settings, reference_shares, sweep_references
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: McNemar, Psychometrika 12 (1947): the sign test of the pictures that changed
-- read: share_before and share_after are over the images whose picture and which themselves show a declared group. A
-- picture counts once: it gains the group if more of its images show it than it did, and loses it if fewer do; with
-- one image each this is McNemar's test of two groups. unguided_change is that of the same pictures and prompt without
-- guidance. Where a reference (planted or counted shares of an occupation) speaks of the prompt, reference_share says
-- which way a stereotype would pull: pulled is whether the share moved toward it. The family of a q-value is all prompts
-- of a sweep, model, setting, attribute and classifier, for all prompts together all settings of a sweep and attribute.
-- range: -1 to 1
with pictures as (
    select coalesce(cell, setting) as place, attribute, classifier, source, before, after, count(*) as n
    from edits
    where position_after is not null
    group by grouping sets (
        (cell, attribute, classifier, source, before, after), (setting, attribute, classifier, source, before, after)
    )
),
wholes as (
    select place, attribute, classifier, sum(n)::bigint as n, count(distinct source) as source_pictures
    from pictures
    group by all
),
had as (
    select
        place, attribute, classifier, before as "group", sum(n)::bigint as images,
        count(distinct source) filter (after <> before) as lost
    from pictures
    group by all
),
has as (
    select
        place, attribute, classifier, after as "group", sum(n)::bigint as images,
        count(*) filter (after <> before) as gained
    from pictures
    group by all
),
summed as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, "group", position, n, source_pictures,
        coalesce(had.images, 0) / n::double as share_before, coalesce(has.images, 0) / n::double as share_after,
        coalesce(gained, 0) as gained, coalesce(lost, 0) as lost
    from wholes
    join place_names using (place)
    join (select distinct sweep, attribute, "group", position from targets) as groups using (sweep, attribute)
    left join had using (place, attribute, classifier, "group")
    left join has using (place, attribute, classifier, "group")
),
tests as (
    select gained, lost, if(gained + lost = 0, 1e0, binomial_test(gained, gained + lost, 0.5e0)) as p_value
    from (select distinct gained, lost from summed)
),
tested as (
    select summed.*, share_after - share_before as change, p_value from summed join tests using (gained, lost)
),
baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
),
-- A reference of more groups than are declared, or of fewer, is of something else.
known as (
    select sweep, prompt_name, attribute, "group", avg(share) as reference_share
    from (
        select *, sum(share) over (partition by sweep, reference, prompt_name, attribute) as whole
        from reference_shares
        join sweep_references using (reference)
        semi join targets using (sweep, attribute, "group")
    )
    where abs(whole - 1) < 1e-6
    group by all
)
select
    tested.sweep, tested.model, tested.setting, tested.prompt, tested.prompt_name, tested.attribute, tested.classifier,
    tested.group, tested.position, tested.n, tested.source_pictures, tested.share_before, tested.share_after, tested.gained,
    tested.lost, tested.change, unguided.change as unguided_change, reference_share,
    tested.change * (reference_share - tested.share_before) > 0 as pulled, tested.p_value, tested.q_value
from q_values('tested', {
    'sweep': sweep, 'attribute': attribute, 'classifier': classifier, 'together': prompt is null,
    'model': if(prompt is null, null, model), 'setting': if(prompt is null, null, setting)
}) as tested
left join baselines using (sweep, model)
left join tested as unguided
    on unguided.sweep = tested.sweep and unguided.model = tested.model and unguided.setting = versus
    and tested.setting <> versus and unguided.prompt is not distinct from tested.prompt
    and unguided.attribute = tested.attribute and unguided.classifier = tested.classifier
    and unguided.group = tested.group
left join known
    on known.sweep = tested.sweep and known.prompt_name = tested.prompt_name and known.attribute = tested.attribute
    and known.group = tested.group
