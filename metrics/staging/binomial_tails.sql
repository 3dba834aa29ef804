-- The exact two-sided binomial test of every count near its mean: twice the smaller tail, as binomial_test says of one
-- count. `source` names a view or CTE of: fair (a distribution), n; the shares are those of the distributions whose
-- outcomes are too many for multinomial_tails.
-- one row per: share, n, count
create or replace macro binomial_tails(source) as table
with shares as (
    select distinct unnest(fair) as share, n from query_table(source) where n > 0 and not is_listed(n, len(fair))
),
-- Beyond nine standard deviations and forty images a tail is nothing beside those inside.
counts as (
    select
        share, n, unnest(range(
            greatest(0, floor(n * share - 9 * sqrt(n * share * (1 - share))) - 40)::bigint,
            least(n, ceil(n * share + 9 * sqrt(n * share * (1 - share))) + 40)::bigint + 1
        )) as count
    from shares
    where share < 1
),
weighted as (
    select *, exp(binomial_log_(count, n, share)) as weight from counts
)
select
    share, n, count, abs(count / n::double - share) as difference,
    least(1e0, 2e0 * least(sum(weight) over downward, sum(weight) over upward)) as p_value
from weighted
window
    upward as (partition by share, n order by count rows between unbounded preceding and current row),
    downward as (partition by share, n order by count desc rows between unbounded preceding and current row)
