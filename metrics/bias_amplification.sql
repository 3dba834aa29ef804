-- How much more the images lean to the groups that a reference already favours: Zhao's mean over prompts of what the
-- favoured groups gain, and the directional form, which also counts what the disfavoured ones lose.
-- good: near 0 or below
-- reads: reference_pairs
-- one row per: sweep, model, setting, attribute, classifier, reference
-- source: Zhao et al., arXiv 1707.09457, equation 2; Wang & Russakovsky, arXiv 2102.12594, BiasAmp T->A
-- read: A group is favoured for a prompt where its reference share exceeds 1 / groups (Zhao), or its share over all
-- prompts of the reference (directional).
with placed as (
    select
        sweep, model, setting, prompt, attribute, classifier, reference, reference_n, n,
        len(groups) as groups,
        unnest(coalesce(shares, list_transform(groups, lambda g: null::double))) as share,
        unnest(reference_shares) as expected,
        unnest(range(1, len(groups) + 1)) as place
    from reference_pairs
),
gains as (
    select
        *,
        share - expected as gain,
        expected > sum(expected * coalesce(reference_n, 1)) over across / sum(coalesce(reference_n, 1)) over across
            as favoured
    from placed
    where share is not null
    window across as (partition by sweep, model, setting, attribute, classifier, reference, place)
),
prompts as (
    select
        sweep, model, setting, prompt, attribute, classifier, reference,
        dense_rank() over (order by sweep, model, setting, attribute, classifier, reference) as cell,
        sum(if(expected > 1e0 / groups, gain, 0)) as zhao,
        avg(if(favoured, gain, -gain)) as directional
    from gains
    group by sweep, model, setting, prompt, attribute, classifier, reference
),
measures as (
    select sweep, cell, 'zhao' as metric, prompt, null::bigint as seed_block, zhao as value,
        null::double as low, null::double as high
    from prompts
    union all
    select sweep, cell, 'directional', prompt, null, directional, null, null from prompts
),
means as (
    from bootstrap('measures')
),
cells as (
    select distinct sweep, model, setting, attribute, classifier, reference, cell from prompts
)
select
    cells.* exclude (cell),
    zhao.mean as bias_amplification, zhao.low, zhao.high,
    directional.mean as directional, directional.low as directional_low, directional.high as directional_high,
    zhao.prompts
from cells
join means as zhao on zhao.cell = cells.cell and zhao.metric = 'zhao'
join means as directional on directional.cell = cells.cell and directional.metric = 'directional'
