-- Benjamini and Hochberg's q-values (JRSS B 57, 1995): the smallest false discovery rate at which a test is a finding.
-- `source` names a view or CTE with a row per test and its `p_value`; the tests of one `family` (any value, such as a
-- struct of the columns that a cell is made of) are corrected together. A test without a p-value counts in no family.
create or replace macro q_values(source, family) as table
with ranked as (
    select
        * exclude (family_),
        family_,
        p_value * count(p_value) over (partition by family_)
            / row_number() over (partition by family_ order by p_value nulls last) as step_
    from (select *, family as family_ from query_table(source))
)
select
    * exclude (family_, step_),
    if(p_value is null, null, least(1e0, min(step_) over (
        partition by family_ order by p_value nulls last rows between current row and unbounded following
    ))) as q_value
from ranked
