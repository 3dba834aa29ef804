-- The shares of a prompt group by group. `source` names a view or CTE with a row per prompt and aligned lists over its
-- declared groups: groups, counts, lows, highs, targets. Of a group that the classifier cannot tell (told is false) nothing
-- is measured, and where no image shows any group there is no share; reason says so.
create or replace macro placed_shares(source) as table
with placed as (
    select
        *, unnest(groups) as "group", unnest(range(1, len(groups) + 1)) as position,
        unnest(list_transform(groups, lambda g: unmeasured is null or not list_contains(unmeasured, g))) as told
    from query_table(source)
)
select
    * replace (if(told and n > 0, null, reason) as reason),
    if(told, counts[position], null) as count,
    if(told and n > 0, counts[position] / n::double, null) as share,
    if(told, lows[position], null) as low,
    if(told, highs[position], null) as high,
    targets[position] as target
from placed;
