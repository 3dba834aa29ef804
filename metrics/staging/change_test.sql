-- The p-value of an interval of a change that MOVER gave: below .05 where the interval excludes 0. What chance alone may
-- add on either side comes off the change first.
create or replace macro change_test(change, chance_above, chance_below, reach_below, reach_above) as case
    when change is null then null
    when change = 0 then 1e0
    when if(change > 0, reach_below, reach_above) > 0 then list_transform(
        [interval_z(confidence_level(), 1) * greatest(0e0, if(change > 0, change - chance_above, -change - chance_below))
            / if(change > 0, reach_below, reach_above)],
        lambda deviation: least(1e0, 2e0 * normal_tail_(deviation))
    )[1]
end;
