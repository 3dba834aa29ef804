-- What a test of n images against a target can find at all: the least p-value that any outcome has, and the least total
-- variation that is significant by itself, null where none is.
-- reads: group_counts, multinomial_tails
-- one row per: distribution of the groups that may occur, n
with needed as (
    select distinct possible_groups(targets) as fair, n from group_counts where n > 0
),
listed as (
    select fair, n, min(p_value) as least_p, min(variation) filter (p_value <= false_discovery_rate()) as least_difference
    from multinomial_tails
    group by fair, n
),
-- The least significant count of a group lies within a few standard deviations of its mean.
candidates as (
    select
        fair, n, share,
        unnest(list_concat([0, n], range(
            greatest(0, floor(n * share - 5 * sqrt(n * share * (1 - share)) - 10))::bigint,
            least(n, ceil(n * share + 5 * sqrt(n * share * (1 - share)) + 10))::bigint + 1
        ))) as k
    from (select *, unnest(fair) as share from needed where not is_listed(n, len(fair)))
    where share < 1
),
counted as (
    select
        fair, n, abs(k / n::double - share) as difference,
        least(1e0, group_tests(len(fair)) * binomial_test(k, n, share)) as p_value
    from candidates
)
from listed
union all
select fair, n, min(p_value), min(difference) filter (p_value <= false_discovery_rate())
from counted
group by fair, n
