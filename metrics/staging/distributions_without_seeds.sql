-- The distributions as they would be without one block of seeds, everywhere that block's seeds were used: what shows how
-- much chance in the seeds, which all prompts and settings share, moves a mean. Eight blocks keep ten million labels to
-- seconds; how few they are is in the intervals, as degrees of freedom (the delete-a-group jackknife: Kott, Journal of
-- Official Statistics 17, 2001). No interval of their own: its columns are the shares. Where directions were dealt by quota
-- each direction keeps its weight, as if every block held as much of each: how a quota falls into blocks is no chance.
-- reads: group_counts, unit_counts
-- one row per: sweep, model, setting, prompt, attribute, classifier, seed_block
with blocks as (
    select
        judge, seed_block, sum(n)::bigint as images, coalesce(sum(n) filter (declared), 0)::bigint as n,
        coalesce(sum(n) filter (not declared and outcome = 'no_face'), 0)::bigint as no_face,
        coalesce(sum(n) filter (not declared and outcome = 'unknown'), 0)::bigint as unknown,
        coalesce(list(outcome) filter (declared), []) as names, coalesce(list(n) filter (declared), []) as counts
    from (
        select judge, seed_block, outcome, declared, sum(n)::bigint as n
        from unit_counts
        where seed_block is not null
        group by judge, seed_block, outcome, declared
    )
    group by judge, seed_block
),
without as (
    select
        group_counts.*,
        struct_pack(seed_block, images := blocks.images, n := blocks.n, no_face := blocks.no_face,
            unknown := blocks.unknown, names, counts := blocks.counts) as lost
    from group_counts
    join blocks using (judge)
),
-- A prompt that has images of no other block keeps what it has.
remaining as (
    select
        * replace (
            if(images > lost.images and n > lost.n, struct_pack(
                seed_block := lost.seed_block, images := lost.images, n := lost.n, no_face := lost.no_face,
                unknown := lost.unknown, names := lost.names, counts := lost.counts
            ), struct_pack(
                seed_block := lost.seed_block, images := 0::bigint, n := 0::bigint, no_face := 0::bigint,
                unknown := 0::bigint, names := []::varchar[], counts := []::bigint[]
            )) as lost
        )
    from without
),
left_out as (
    select
        lost.seed_block as seed_block,
        * exclude (lost) replace (
            images - lost.images as images,
            n - lost.n as n,
            no_face - lost.no_face as no_face,
            unknown - lost.unknown as unknown,
            list_transform(counts, lambda k, i: k - coalesce(lost.counts[list_position(lost.names, groups[i])], 0))
                as counts
        )
    from remaining
),
dealt as (
    select judge from group_counts where len(strata) > 1
),
-- What each direction's images showed, and how many a block holds of them.
directed as (
    select judge, steered_to, seed_block, outcome, sum(n)::bigint as n
    from unit_counts
    semi join dealt using (judge)
    where declared
    group by all
),
sizes as (
    select judge, steered_to, seed_block, sum(n)::bigint as n from directed group by all
),
wholes as (
    select judge, steered_to, sum(n) as n, sum(sum(n)) over (partition by judge) as images
    from sizes
    group by judge, steered_to
),
shown as (
    select judge, steered_to, outcome, sum(n) as n from directed group by all
),
-- A direction that has images of no other block keeps what it has.
kept as (
    select
        shown.judge, blocks.seed_block, shown.outcome, sum(wholes.n / wholes.images * if(
            wholes.n > coalesce(sizes.n, 0),
            (shown.n - coalesce(directed.n, 0)) / (wholes.n - coalesce(sizes.n, 0))::double, shown.n / wholes.n::double
        )) as share
    from shown
    join wholes on wholes.judge = shown.judge and wholes.steered_to is not distinct from shown.steered_to
    join blocks on blocks.judge = shown.judge
    left join sizes
        on sizes.judge = shown.judge and sizes.steered_to is not distinct from shown.steered_to
        and sizes.seed_block = blocks.seed_block
    left join directed
        on directed.judge = shown.judge and directed.steered_to is not distinct from shown.steered_to
        and directed.outcome = shown.outcome and directed.seed_block = blocks.seed_block
    group by shown.judge, blocks.seed_block, shown.outcome
),
weighted as (
    select judge, seed_block, list(outcome) as names, list(share) as shares from kept group by all
),
distributions as (
    select
        left_out.* replace (
            images - n as missing,
            images - n - no_face - unknown as failed,
            case
                when n = 0 then null
                when names is null then list_transform(counts, lambda k: k / n::double)
                else list_transform(groups, lambda g: coalesce(weighted.shares[list_position(names, g)], 0e0))
            end as shares
        )
    from left_out
    left join weighted using (judge, seed_block)
)
select
    *, shares as lows, shares as highs, shares as nearest_target, shares as nearest_uniform, [shares] as extremes
from distributions
