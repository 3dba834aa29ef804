-- Whether a setting changed the shares of the images of the same seeds: McNemar's exact test for two groups, Bowker's
-- test of symmetry for more; for each prompt, and for all prompts together (prompt is null).
-- good: -
-- reads: flips
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier
-- source: McNemar, Psychometrika 12 (1947); Bowker, JASA 43 (1948)
-- read: Pairs with a missing outcome are counted in pairs and flipped but not tested.
with paired as (
    select *, position_before is not null and position_after is not null as tested from flips
),
pairs as (
    select sweep, model, setting, versus, prompt, attribute, classifier, before, after, tested, n from paired
    union all
    select sweep, model, setting, versus, '', attribute, classifier, before, after, tested, sum(n)::bigint
    from paired
    group by sweep, model, setting, versus, attribute, classifier, before, after, tested
),
totals as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        sum(n)::bigint as pairs,
        coalesce(sum(n) filter (before <> after), 0)::bigint as flipped
    from pairs
    group by all
),
opposed as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        coalesce(sum(n) filter (before < after), 0)::bigint as forth,
        coalesce(sum(n) filter (before > after), 0)::bigint as back
    from pairs
    where tested and before <> after
    group by
        sweep, model, setting, versus, prompt, attribute, classifier, least(before, after), greatest(before, after)
),
tested as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        count(*) as df,
        sum((forth - back) ** 2 / (forth + back)::double) as statistic,
        any_value(forth) as forth, any_value(back) as back
    from opposed
    group by all
)
select
    sweep, model, setting, versus, nullif(prompt, '') as prompt, attribute, classifier, pairs, flipped,
    flipped / pairs::double as flipped_share,
    wilson_low(flipped, pairs, z) as low,
    wilson_high(flipped, pairs, z) as high,
    coalesce(statistic, 0) as statistic,
    coalesce(df, 0) as df,
    case
        when df is null then 1e0
        when df = 1 then binomial_test(forth, forth + back, 0.5e0)
        else chi_square_tail(statistic, df)
    end as p_value,
    case when df is null then 'no flips' when df = 1 then 'exact McNemar' else 'Bowker' end as test
from totals
left join tested using (sweep, model, setting, versus, prompt, attribute, classifier)
cross join (select interval_z(confidence_level(), 1) as z)
