-- How far two classifiers agree on the images that both give a group, beyond chance: Cohen's kappa.
-- good: near 1
-- reads: outcomes
-- one row per: sweep, attribute, classifier, other_classifier
-- source: Cohen, Educational and Psychological Measurement 20 (1960), with its large-sample standard error
with pairs as (
    select
        one.sweep, one.attribute, one.classifier, other.classifier as other_classifier,
        one.outcome as said, other.outcome as other_said,
        one.position is not null and other.position is not null as both_said, count(*) as n
    from outcomes as one
    join outcomes as other using (sweep, model, setting, image_id, attribute)
    where one.classifier < other.classifier
    group by all
),
totals as (
    select
        sweep, attribute, classifier, other_classifier,
        sum(n)::bigint as images,
        coalesce(sum(n) filter (both_said), 0)::bigint as n,
        coalesce(sum(n) filter (both_said and said = other_said), 0)::bigint as agreed
    from pairs
    group by all
),
one as (
    select sweep, attribute, classifier, other_classifier, said, sum(n) as n from pairs where both_said group by all
),
other as (
    select sweep, attribute, classifier, other_classifier, other_said as said, sum(n) as n
    from pairs where both_said group by all
),
chance as (
    select sweep, attribute, classifier, other_classifier, sum(one.n * other.n) as products
    from one
    join other using (sweep, attribute, classifier, other_classifier, said)
    group by all
),
rates as (
    select
        totals.*, agreed / nullif(n, 0)::double as observed,
        coalesce(products, 0) / nullif(n * n, 0)::double as expected
    from totals
    left join chance using (sweep, attribute, classifier, other_classifier)
),
kappas as (
    select
        *,
        if(expected < 1, (observed - expected) / (1 - expected), null) as kappa,
        if(expected < 1, sqrt(observed * (1 - observed) / n) / (1 - expected), null) as error
    from rates
)
select
    * exclude (error, z), kappa - z * error as low, least(1e0, kappa + z * error) as high
from kappas
cross join (select interval_z(confidence_level(), 1) as z)
