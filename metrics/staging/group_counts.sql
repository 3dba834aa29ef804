-- The counts of a prompt as aligned lists over the declared groups, in their declared order, and what is missing; the
-- same of its strata (the images steered to one group, dealt by quota; all of them where nothing is steered) and of its
-- blocks of seeds. centres and variances are those of the intervals; floor_n is how many independent images would vary as little as these, whose directions were dealt.
-- reads: unit_counts, targets, plan
-- one row per: sweep, model, setting, prompt, attribute, classifier
with tallies as materialized (
    select *, hash(cell, attribute, classifier) as judge from unit_counts
),
declared as (
    select sweep, attribute, list("group" order by position, "group") as groups, list(target order by position, "group") as targets
    from targets
    group by sweep, attribute
),
prompts as (
    select sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, hash(sweep, model, setting, prompt) as cell
    from plan
    group by sweep, model, setting, prompt
),
totals as (
    select
        judge, any_value(cell) as cell, any_value(sweep) as sweep, any_value(attribute) as attribute,
        any_value(classifier) as classifier,
        sum(n)::bigint as images,
        coalesce(sum(n) filter (declared), 0)::bigint as n,
        coalesce(sum(n) filter (not declared), 0)::bigint as missing,
        coalesce(sum(n) filter (not declared and outcome = 'no_face'), 0)::bigint as no_face,
        coalesce(sum(n) filter (not declared and outcome = 'unknown'), 0)::bigint as unknown,
        coalesce(sum(n) filter (not declared and outcome = 'failed'), 0)::bigint as failed
    from tallies
    group by judge
),
by_group as (
    select judge, list(outcome) as names, list(n) as counts
    from (select judge, outcome, sum(n)::bigint as n from tallies where declared group by all)
    group by judge
),
by_stratum as (
    select judge, list(struct_pack(images, n, names, counts) order by steered_to) as strata
    from (
        select
            judge, steered_to, sum(n)::bigint as images, coalesce(sum(n) filter (declared), 0)::bigint as n,
            coalesce(list(outcome) filter (declared), []) as names, coalesce(list(n) filter (declared), []) as counts
        from (select judge, steered_to, outcome, declared, sum(n)::bigint as n from tallies group by all)
        group by judge, steered_to
    )
    group by judge
),
by_block as (
    select judge, list(struct_pack(seed_block, images, n, no_face, unknown, names, counts) order by seed_block) as blocks
    from (
        select
            judge, seed_block, sum(n)::bigint as images, coalesce(sum(n) filter (declared), 0)::bigint as n,
            coalesce(sum(n) filter (not declared and outcome = 'no_face'), 0)::bigint as no_face,
            coalesce(sum(n) filter (not declared and outcome = 'unknown'), 0)::bigint as unknown,
            coalesce(list(outcome) filter (declared), []) as names, coalesce(list(n) filter (declared), []) as counts
        from (
            select judge, seed_block, outcome, declared, sum(n)::bigint as n
            from tallies where seed_block is not null group by all
        )
        group by judge, seed_block
    )
    group by judge
),
aligned as (
    select
        totals.* exclude (judge, cell), prompts.model, prompts.setting, prompts.prompt, prompts.prompt_name,
        groups, targets, align_counts(groups, names, counts) as counts,
        list_transform(
            list_filter(strata, lambda s: s.n > 0),
            lambda s: struct_pack(images := s.images, n := s.n, counts := align_counts(groups, s.names, s.counts))
        ) as strata,
        coalesce(blocks, []) as blocks
    from totals
    join prompts using (cell)
    join declared on declared.sweep = totals.sweep and declared.attribute = totals.attribute
    left join by_group using (judge)
    left join by_stratum using (judge)
    left join by_block using (judge)
),
quantiles as (
    select list_transform(list_transform(
        range(1, 65), lambda ways: 1e0 - (1e0 - confidence_level()) / (2e0 * ways)
    ), lambda p: normal_quantile(p)) as quantiles
),
measured as (
    select
        *,
        if(n > 0, list_transform(counts, lambda k: k / n::double), null) as shares,
        list_transform(groups, lambda g: 1e0 / len(groups)) as uniform,
        quantiles[if(len(groups) > 2, len(groups), 1)] as z,
        quantiles[1] as z_one
    from aligned
    cross join quantiles
),
shrunk as (
    select *, if(n > 0, shrunken(strata, n, z, len(strata)), []) as shrunk from measured
),
centred as (
    select *, list_transform(counts, lambda k, i: strata_centre(shrunk, i)) as centres from shrunk
),
varied as (
    select *, list_transform(centres, lambda c, i: strata_variance(shrunk, i, c)) as variances from centred
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, images, n, missing, no_face, unknown, failed,
    groups, counts, targets, shares, uniform, z, z_one, strata, blocks, centres, variances,
    if(len(strata) < 2, n, greatest(n, least(20 * n, round(
        list_sum(list_transform(centres, lambda c: c * (1e0 - c))) / list_sum(variances) - z * z
    )))::bigint) as floor_n
from varied
