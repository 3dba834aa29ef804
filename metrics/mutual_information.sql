-- How much the prompt tells of the group that is drawn: the mutual information of attribute and prompt over the entropy
-- of the attribute, 0 where every prompt draws the groups alike, 1 where the prompt decides.
-- good: near 0
-- reads: group_counts
-- one row per: sweep, model, setting, attribute, classifier
-- source: Shannon (1948); bias of the estimate: Miller, Information Theory in Psychology (1955); test: Campbell, Statistics
-- in Medicine 26 (2007)
-- summary: max(normalised) as mutual_information
-- read: bits is the estimate less what independent draws of as many images would show on average (Miller's correction,
-- never below 0), plain the estimate itself. p_value is that of Pearson's statistic of the table of prompts and groups,
-- (n - 1) / n of it, whose limit holds from few images on, as that of the likelihood ratio does not; null where a cell of
-- the table expects fewer than one image. Seeds that all prompts share make their shares alike, as do directions dealt by
-- quota: the test is then below its level.
with counts as (
    select
        sweep, model, setting, attribute, classifier, prompt, unnest(counts) as k, n,
        unnest(range(1, len(counts) + 1)) as place
    from group_counts
    where n > 0
),
placed as (
    select *, sum(k) over (partition by sweep, model, setting, attribute, classifier, place) as of_group,
        sum(k) over (partition by sweep, model, setting, attribute, classifier) as total
    from counts
),
measured as (
    select
        sweep, model, setting, attribute, classifier, any_value(total)::bigint as n,
        count(distinct prompt) as prompts, count(distinct place) filter (of_group > 0) as groups,
        min(n * of_group / total::double) filter (of_group > 0) as least_expected,
        sum((k - n * of_group / total::double) ** 2 / (n * of_group / total::double)) filter (of_group > 0) as pearson,
        coalesce(sum(k / total::double * log2(k * total / (n * of_group)::double)) filter (k > 0), 0e0) as plain
    from placed
    group by all
),
entropies as (
    select sweep, model, setting, attribute, classifier, sum(if(p > 0, -p * log2(p), 0e0)) as entropy
    from (
        select sweep, model, setting, attribute, classifier, place, sum(k) / any_value(total)::double as p
        from placed
        group by all
    )
    group by all
)
select
    sweep, model, setting, attribute, classifier, prompts, n, plain, entropy,
    greatest(0e0, plain - (prompts - 1) * (groups - 1) / (2e0 * n * ln(2e0))) as bits,
    greatest(0e0, plain - (prompts - 1) * (groups - 1) / (2e0 * n * ln(2e0))) / nullif(entropy, 0) as normalised,
    if(
        least_expected >= 1 and prompts > 1 and groups > 1,
        chi_square_tail(pearson * (n - 1) / n, (prompts - 1) * (groups - 1)), null
    ) as p_value
from measured
join entropies using (sweep, model, setting, attribute, classifier)
