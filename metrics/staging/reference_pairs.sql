-- The shares of a prompt beside those of each reference of its sweep that speaks of it, as lists aligned to the groups.
-- reads: distributions, reference_shares, sweep_references
-- one row per: sweep, model, setting, prompt, attribute, classifier, reference
with placed as (
    select *, unnest(groups) as "group", unnest(range(1, len(groups) + 1)) as place from group_counts
),
matched as (
    select
        placed.*, reference_shares.reference, reference_shares.share, reference_shares.n as reference_n
    from placed
    join reference_shares using (prompt_name, attribute, "group")
    semi join sweep_references
        on sweep_references.sweep = placed.sweep and sweep_references.reference = reference_shares.reference
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, reference,
    any_value(n) as n,
    any_value(groups) as groups, any_value(counts) as counts, any_value(shares) as shares,
    any_value(targets) as targets, any_value(z_one) as z_one,
    list(share order by place) as reference_shares,
    max(reference_n) as reference_n
from matched
group by sweep, model, setting, prompt, prompt_name, attribute, classifier, reference
-- A reference of more groups than are declared, or of fewer, is of something else.
having count(*) = len(any_value(groups)) and abs(sum(share) - 1) < 1e-6
