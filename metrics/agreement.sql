-- How far two classifiers agree on the images that both give a group, beyond chance: Cohen's kappa.
-- good: near 1
-- reads: ratings
-- one row per: sweep, attribute, classifier, other_classifier
-- source: Cohen, Educational and Psychological Measurement 20 (1960); Fleiss, Cohen & Everitt, Psychological Bulletin 72 (1969)
-- read: The interval is about more images of these prompts. It is the wider of the large-sample one, which is valid at
-- any kappa, and Wilson's of the observed agreement, which leaves room below 1 where all images agree.
with pairs as (
    select
        one.sweep, one.attribute, one.classifier, other.classifier as other_classifier,
        one.label as label, other.label as other_label, one.declared and other.declared as both_declared,
        count(*) as n
    from ratings as one
    join ratings as other using (sweep, image, attribute)
    where one.classifier < other.classifier
    group by all
),
totals as (
    select
        sweep, attribute, classifier, other_classifier,
        sum(n)::bigint as images,
        coalesce(sum(n) filter (both_declared), 0)::bigint as n,
        coalesce(sum(n) filter (both_declared and label = other_label), 0)::bigint as agreed
    from pairs
    group by all
),
shared as (
    select *, pairs.n / totals.n::double as share
    from pairs
    join totals using (sweep, attribute, classifier, other_classifier)
    where both_declared
),
one as (
    select sweep, attribute, classifier, other_classifier, label, sum(share) as share from shared group by all
),
other as (
    select sweep, attribute, classifier, other_classifier, other_label as label, sum(share) as share
    from shared group by all
),
chance as (
    select sweep, attribute, classifier, other_classifier, sum(one.share * other.share) as expected
    from one
    join other using (sweep, attribute, classifier, other_classifier, label)
    group by all
),
rates as (
    select
        totals.*, agreed / nullif(n, 0)::double as observed, if(n > 0, coalesce(expected, 0), null) as expected,
        (agreed / nullif(n, 0)::double - coalesce(expected, 0)) / nullif(1 - coalesce(expected, 0), 0) as kappa
    from totals
    left join chance using (sweep, attribute, classifier, other_classifier)
),
-- Each cell of the table with how often the other classifier says its label, and the one classifier the other label.
variances as (
    select
        sweep, attribute, classifier, other_classifier,
        sum(shared.share * if(
            label = other_label,
            (1 - (coalesce(here.share, 0) + one.share) * (1 - kappa)) ** 2,
            ((coalesce(here.share, 0) + coalesce(there.share, 0)) * (1 - kappa)) ** 2
        )) - any_value(kappa - expected * (1 - kappa)) ** 2 as variance
    from shared
    join rates using (sweep, attribute, classifier, other_classifier)
    join one using (sweep, attribute, classifier, other_classifier, label)
    left join other as here using (sweep, attribute, classifier, other_classifier, label)
    left join one as there
        on there.sweep = shared.sweep and there.attribute = shared.attribute
        and there.classifier = shared.classifier and there.other_classifier = shared.other_classifier
        and there.label = shared.other_label
    group by sweep, attribute, classifier, other_classifier
),
kappas as (
    select *, sqrt(greatest(0e0, variance) / n) / (1 - expected) as error
    from rates
    left join variances using (sweep, attribute, classifier, other_classifier)
)
select
    sweep, attribute, classifier, other_classifier, images, n, agreed, observed, expected, kappa,
    least(kappa - z * error, (wilson_low(agreed, n, z) - expected) / nullif(1 - expected, 0)) as low,
    least(1e0, greatest(kappa + z * error, (wilson_high(agreed, n, z) - expected) / nullif(1 - expected, 0))) as high,
    case when n = 0 then 'no image shows both a declared group' when kappa is null then 'all answers are one group: chance agrees as much' end as reason
from kappas
cross join (select interval_z(confidence_level(), 1) as z)
