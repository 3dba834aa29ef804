-- How far all classifiers agree on the images that each of them gives a group, beyond chance.
-- good: near 1
-- reads: ratings
-- one row per: sweep, attribute
-- source: Fleiss, Psychological Bulletin 76 (1971); Gwet, British Journal of Mathematical and Statistical Psychology 61 (2008)
-- read: The interval is about more images of these prompts: the linearised variance, valid at any kappa, or where it is
-- wider Wilson's of the images on which all agree.
with raters as (
    select sweep, attribute, count(distinct classifier) as raters from ratings group by sweep, attribute
),
answers as (
    select sweep, attribute, image, label, count(*) as votes from ratings where declared group by all
),
images as (
    select
        sweep, attribute, image, any_value(raters)::double as raters,
        sum(votes * (votes - 1)) / (any_value(raters) * (any_value(raters) - 1))::double as agreement,
        list(label) as labels, list(votes / raters::double) as shares
    from answers
    join raters using (sweep, attribute)
    where raters > 1
    group by sweep, attribute, image
    having sum(votes) = any_value(raters)
),
votes as (
    select sweep, attribute, image, agreement, unnest(labels) as label, unnest(shares) as share from images
),
observed as (
    select
        sweep, attribute, any_value(raters)::bigint as classifiers, count(*) as images,
        count(*) filter (agreement = 1) as unanimous, avg(agreement) as observed
    from images
    group by all
),
shares as (
    select sweep, attribute, label, sum(share) / any_value(images) as share
    from votes
    join observed using (sweep, attribute)
    group by sweep, attribute, label
),
rates as (
    select *, (observed - expected) / nullif(1 - expected, 0) as kappa
    from observed
    join (select sweep, attribute, sum(share ** 2) as expected from shares group by all) using (sweep, attribute)
),
-- What each image adds to kappa.
scored as (
    select sweep, attribute, image, any_value(agreement) as agreement, sum(votes.share * shares.share) as chance
    from votes
    join shares using (sweep, attribute, label)
    group by sweep, attribute, image
),
variances as (
    select
        sweep, attribute,
        sum(((agreement - observed) / (1 - expected) - 2 * (1 - observed) * (chance - expected) / (1 - expected) ** 2) ** 2)
            / nullif(count(*) * (count(*) - 1), 0) as variance
    from scored
    join rates using (sweep, attribute)
    where expected < 1
    group by sweep, attribute
)
select
    sweep, attribute, classifiers, images, observed, expected, kappa,
    least(kappa - z * sqrt(variance), (wilson_low(unanimous, images, z) - expected) / nullif(1 - expected, 0)) as low,
    least(1e0, greatest(
        kappa + z * sqrt(variance), if(unanimous = images, 1e0, kappa)
    )) as high,
    if(kappa is null, 'all answers are one group: chance agrees as much', null) as reason
from rates
left join variances using (sweep, attribute)
cross join (select interval_z(confidence_level(), 1) as z)
