-- The counts of a prompt as aligned lists over the declared groups, in their declared order, and what is missing; the
-- same of its strata (the images steered to one group, dealt by quota; all of them where nothing is steered).
-- centres and variances are those of the intervals; floor_n is how many independent images would vary as little as
-- these, whose directions were dealt. unmeasured holds the groups that the classifier cannot tell, null for none: then there
-- are no shares, since those of the others would be of fewer groups than are declared; reason says why there are none.
-- reads: stratum_counts, targets, unmeasured, cell_names
-- one row per: sweep, model, setting, prompt, attribute, classifier
with tallies as (
    select
        judge, any_value(cell) as cell, any_value(sweep) as sweep, any_value(attribute) as attribute,
        any_value(classifier) as classifier, steered_to, outcome, declared, sum(n)::bigint as n
    from stratum_counts
    group by judge, steered_to, outcome, declared
),
declared as (
    select
        sweep, attribute, list("group" order by position, "group") as groups,
        list(target order by position, "group") as targets
    from targets
    group by sweep, attribute
),
by_stratum as (
    select
        judge, steered_to, any_value(cell) as cell, any_value(sweep) as sweep, any_value(attribute) as attribute,
        any_value(classifier) as classifier, sum(n)::bigint as images,
        coalesce(sum(n) filter (declared), 0)::bigint as n,
        coalesce(sum(n) filter (not declared and outcome = 'no_face'), 0)::bigint as no_face,
        coalesce(sum(n) filter (not declared and outcome = 'unknown'), 0)::bigint as unknown,
        coalesce(sum(n) filter (not declared and outcome = 'failed'), 0)::bigint as failed,
        coalesce(list(outcome) filter (declared), []) as names, coalesce(list(n) filter (declared), []) as counts
    from tallies
    group by judge, steered_to
),
totals as (
    select
        judge, any_value(cell) as cell, any_value(sweep) as sweep, any_value(attribute) as attribute,
        any_value(classifier) as classifier, sum(images)::bigint as images, sum(n)::bigint as n,
        sum(images - n)::bigint as missing, sum(no_face)::bigint as no_face, sum(unknown)::bigint as unknown,
        sum(failed)::bigint as failed, list(struct_pack(images, n, missing := images - n - failed, names, counts) order by steered_to) as strata
    from by_stratum
    group by judge
),
aligned as (
    select
        totals.* exclude (cell) replace (list_transform(
            strata,
            lambda s: struct_pack(
                images := s.images, n := s.n, missing := s.missing, counts := align_counts(groups, s.names, s.counts)
            )
        ) as strata),
        cell_names.model, cell_names.setting, cell_names.prompt, cell_names.prompt_name, groups, targets, unmeasured
    from totals
    join cell_names using (cell)
    join declared on declared.sweep = totals.sweep and declared.attribute = totals.attribute
    left join (
        select sweep, attribute, classifier, list("group" order by "group") as unmeasured from unmeasured group by all
    ) as untold
        on untold.sweep = totals.sweep and untold.attribute = totals.attribute and untold.classifier = totals.classifier
),
counted as (
    select
        * replace (list_filter(strata, lambda s: s.n > 0) as strata),
        list_transform(groups, lambda g, i: list_sum(list_transform(strata, lambda s: s.counts[i]))::bigint) as counts
    from aligned
),
quantiles as (
    select list_transform(list_transform(
        range(1, max(len(groups)) + 1), lambda ways: 1e0 - (1e0 - confidence_level()) / (2e0 * ways)
    ), lambda p: normal_quantile(p)) as quantiles
    from declared
),
measured as (
    select
        *,
        if(n > 0 and unmeasured is null, list_transform(counts, lambda k: k / n::double), null) as shares,
        unseen_reason(n, unmeasured, classifier) as reason,
        list_transform(groups, lambda g: 1e0 / len(groups)) as uniform,
        quantiles[if(len(groups) > 2, len(groups), 1)] as z,
        quantiles[1] as z_one
    from counted
    cross join quantiles
),
shrunk as (
    select *, if(n > 0, shrunken(strata, n, z, len(strata)), []) as shrunk from measured
),
centred as (
    select *, list_transform(counts, lambda k, i: strata_centre(shrunk, i)) as centres from shrunk
),
varied as (
    select *, list_transform(centres, lambda c, i: strata_variance(shrunk, i, c)) as variances from centred
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, images, n, missing, no_face, unknown, failed,
    groups, counts, targets, unmeasured, reason, shares, uniform, z, z_one, judge, strata, centres, variances,
    if(len(strata) < 2, n, greatest(n, least(20 * n, round(
        list_sum(list_transform(centres, lambda c: c * (1e0 - c))) / list_sum(variances) - z * z
    )))::bigint) as floor_n
from varied
