-- The mean over prompts of each group's share, every prompt counting the same.
-- good: near the target
-- reads: share, seed_jackknife
-- one row per: sweep, model, setting, attribute, classifier, group
-- source: bootstrap over prompts and seeds; Owen, Annals of Applied Statistics 1 (2007)
-- summary: map_from_entries(list(("group", mean_share) order by position)) as shares
with shares as (
    select
        *,
        dense_rank() over (order by sweep, model, setting, attribute, classifier) as cell
    from share
),
cells as (
    select
        sweep, model, setting, attribute, classifier, "group", cell, any_value(position) as position,
        any_value(target) as target, sum(count)::bigint as count, sum(n)::bigint as n
    from shares
    group by all
),
prompt_shares as (
    select sweep, cell, "group" as metric, prompt, null as seed_block, share as value, low, high from shares
    union all
    select sweep, cell, "group", null, seed_block, avg(share), null, null
    from (
        select
            sweep, model, setting, attribute, classifier, seed_block, unnest(groups) as "group",
            unnest(shares) as share
        from seed_jackknife
        where shares is not null
    )
    join cells using (sweep, model, setting, attribute, classifier, "group")
    group by sweep, cell, "group", seed_block
),
means as (
    from bootstrap('prompt_shares')
)
select
    cells.sweep, model, setting, attribute, classifier, "group", means.mean as mean_share, means.low, means.high,
    target, coalesce(means.prompts, 0) as prompts, count, n, position
from cells
left join means on means.cell = cells.cell and means.metric = cells.group
