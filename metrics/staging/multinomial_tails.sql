-- The exact null distribution of Pearson's statistic, for each distribution of three or more groups that a test is
-- against and each n whose outcomes can all be listed: how likely a statistic at least as large is, and the smallest
-- total variation of an outcome at least as unlikely. Where they are too many the tests are binomial.
-- `source` names a view or CTE of: fair (a distribution without a zero), n.
-- one row per: distribution, n, value of the statistic
-- source: exact multinomial test; Cressie & Read, JRSS B 46 (1984)
create or replace macro multinomial_tails(source) as table
with recursive
-- One group after the other takes some of the images that are left; the last takes them all.
outcomes as (
    select fair, n, 0 as g, n as rest, 0e0 as statistic, 0e0 as variation, lgamma(n + 1e0) as log_weight
    from (select distinct fair, n from query_table(source))
    where is_listed(n, len(fair))
    union all
    select
        fair, n, g + 1, rest - k, statistic + (k - n * fair[g + 1]) ** 2 / (n * fair[g + 1]),
        variation + abs(k - n * fair[g + 1]) / (2e0 * n), log_weight + k * ln(fair[g + 1]) - lgamma(k + 1e0)
    from (
        select *, unnest(range(if(g + 1 = len(fair), rest, 0), rest + 1)) as k from outcomes where g < len(fair)
    )
),
-- Statistics that are equal but for their last bits are one value.
valued as (
    select fair, n, round(statistic, 7) as statistic, sum(exp(log_weight)) as weight, min(variation) as variation
    from outcomes
    where g = len(fair)
    group by all
)
select
    fair, n, statistic, least(1e0, sum(weight) over further) as p_value, min(variation) over further as variation
from valued
window further as (partition by fair, n order by statistic desc rows between unbounded preceding and current row)
