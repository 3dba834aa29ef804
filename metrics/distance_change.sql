-- The difference of a prompt's distance to the target between two settings on the same seeds, negative where the setting
-- is nearer the target, with an interval that resamples the seeds jointly.
-- good: below 0
-- reads: flips, distributions
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier
-- source: Bayesian bootstrap of the paired table; Rubin, Annals of Statistics 9 (1981)
-- read: The weights of n images sum to a gamma variable (here by Wilson and Hilferty's cube). One image's weight is
-- spread over the possible pairs, so that no interval has zero width.
with pairs as (
    select
        flips.sweep, flips.model, flips.setting, flips.versus, flips.prompt, flips.prompt_name, flips.attribute,
        flips.classifier, any_value(distributions.targets) as targets, any_value(distributions.groups) as groups,
        list(flips.n) as counts,
        list(list_position(distributions.groups, before)) as befores,
        list(list_position(distributions.groups, after)) as afters
    from flips
    join distributions using (sweep, model, setting, prompt, attribute, classifier)
    where flips.position_before is not null and flips.position_after is not null
    group by all
),
tables as (
    select
        *, len(groups) as g,
        list_transform(range(len(groups) * len(groups)), lambda c: coalesce(list_sum(list_transform(
            range(1, len(counts) + 1),
            lambda i: if((befores[i] - 1) * len(groups) + afters[i] - 1 = c, counts[i], 0)
        )), 0)::double) as cells
    from pairs
),
observed as (
    select
        * exclude (counts, befores, afters),
        list_sum(cells) as n,
        list_transform(range(g), lambda b: list_sum(list_transform(range(g), lambda a: cells[1 + b * g + a])))
            as before,
        list_transform(range(g), lambda a: list_sum(list_transform(range(g), lambda b: cells[1 + b * g + a])))
            as after
    from tables
),
deviates as (
    select replicate, cell, normal_quantile(u) as z
    from (
        select replicate, cell, uniform_draw(replicate || ' ' || cell) as u
        from range(1000) as r(replicate), range(64) as c(cell)
    )
),
normals as (
    select replicate, list(z order by cell) as z from deviates group by replicate
),
draws as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier, g, targets,
        list_transform(cells, lambda k, i: (k + 1e0 / (g * g)) * greatest(
            0e0, 1 - 1e0 / (9 * (k + 1e0 / (g * g))) + z[i] / (3 * sqrt(k + 1e0 / (g * g)))
        ) ** 3) as weights
    from observed
    cross join normals
),
resampled as (
    select
        * exclude (weights, g),
        list_transform(range(g), lambda b: list_sum(list_transform(
            range(g), lambda a: weights[1 + b * g + a])) / list_sum(weights)) as before,
        list_transform(range(g), lambda a: list_sum(list_transform(
            range(g), lambda b: weights[1 + b * g + a])) / list_sum(weights)) as after
    from draws
    where list_sum(weights) > 0
),
bounds as (
    select
        sweep, model, setting, versus, prompt, attribute, classifier,
        quantile_cont(
            total_variation_of(after, targets) - total_variation_of(before, targets),
            [(1 - confidence_level()) / 2, (1 + confidence_level()) / 2]
        ) as bounds
    from resampled
    group by all
),
measured as (
    select
        sweep, model, setting, versus, prompt, prompt_name, attribute, classifier, n::bigint as pairs,
        total_variation_of(list_transform(before, lambda k: k / n), targets) as distance_before,
        total_variation_of(list_transform(after, lambda k: k / n), targets) as distance_after
    from observed
)
select
    measured.*,
    distance_after - distance_before as distance_change,
    least(distance_after - distance_before, bounds[1]) as low,
    greatest(distance_after - distance_before, bounds[2]) as high
from measured
join bounds using (sweep, model, setting, versus, prompt, attribute, classifier)
