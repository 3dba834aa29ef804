-- How far all classifiers agree on the images that each of them gives a group, beyond chance.
-- good: near 1
-- reads: outcomes
-- one row per: sweep, attribute
-- source: Fleiss, Psychological Bulletin 76 (1971), with the standard error of Fleiss, Nee & Landis (1979)
with answers as (
    select sweep, model, setting, image_id, attribute, outcome, count(*) as votes
    from outcomes
    where position is not null
    group by all
),
raters as (
    select sweep, attribute, count(distinct classifier) as raters from outcomes group by sweep, attribute
),
images as (
    select
        sweep, model, setting, image_id, attribute, raters, sum(votes) as voters,
        sum(votes * (votes - 1)) / (raters * (raters - 1))::double as agreement
    from answers
    join raters using (sweep, attribute)
    where raters > 1
    group by sweep, model, setting, image_id, attribute, raters
    having voters = raters
),
categories as (
    select sweep, attribute, outcome, sum(votes)::double as votes
    from answers
    semi join images using (sweep, model, setting, image_id, attribute)
    group by all
),
shares as (
    select *, votes / sum(votes) over (partition by sweep, attribute) as share from categories
),
chance as (
    select
        sweep, attribute, sum(share ** 2) as expected, sum(share * (1 - share)) as spread,
        sum(share * (1 - share) * (1 - 2 * share)) as skew
    from shares
    group by all
),
observed as (
    select sweep, attribute, any_value(raters) as classifiers, count(*) as images, avg(agreement) as observed
    from images
    group by all
),
kappas as (
    select
        sweep, attribute, classifiers, images, observed, expected,
        if(expected < 1, (observed - expected) / (1 - expected), null) as kappa,
        sqrt(2e0 * greatest(0, spread ** 2 - skew) / (images * classifiers * (classifiers - 1)))
            / nullif(spread, 0) as error
    from observed
    join chance using (sweep, attribute)
)
select * exclude (error, z), kappa - z * error as low, least(1e0, kappa + z * error) as high
from kappas
cross join (select interval_z(confidence_level(), 1) as z)
