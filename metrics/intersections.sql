-- The joint shares of two attributes over the product of their declared groups, of the images that show both.
-- good: near the product of the targets
-- reads: plan, label_rows, targets, meanings, judges, unmeasured
-- one row per: sweep, model, setting, attribute, other_attribute, classifier, group, other_group
-- source: intersectional fairness, Crenshaw (1989); simultaneous intervals: Goodman, Technometrics 7 (1965); design
-- effect: Rao & Scott, JASA 76 (1981)
-- read: A cell is sparse where fewer than 5 images would be expected on target: its share says little. The interval is
-- about more seeds of these prompts and counts a seed's images together; with one seed there is none.
with
-- 64-bit keys instead of text, as in unit_counts; unit: the images of a setting that one seed made.
placed as (
    select hash(image_id) as image, hash(setting_key(sweep, model, setting), seed) as unit from plan
),
units as (
    select
        hash(setting_key(sweep, model, setting), seed) as unit, any_value(setting_key(sweep, model, setting)) as cell,
        any_value(seed) as seed
    from plan
    group by unit
),
words as (
    select * from meanings where declared
),
-- What all labels are joined with once more is as narrow as can be: numbers of what is said, and of who says it.
numbers as (
    select
        answer, (row_number() over (order by answer))::uinteger as word,
        (dense_rank() over (order by classifier))::usmallint as looker
    from (select distinct answer, classifier from words)
),
answers as materialized (
    select hash(image_id) as image, looker, word
    from label_rows
    join numbers on numbers.answer = answer_key(attribute, classifier, label)
    where error is null
),
tallies as (
    select unit, one.word, other.word as other_word, count(*) as count
    from answers as one
    join answers as other using (image, looker)
    join placed using (image)
    where one.word < other.word
    group by unit, one.word, other.word
),
joint as (
    select cell, seed, one.answer, other.answer as other_answer, count
    from tallies
    join units using (unit)
    join numbers as one using (word)
    join numbers as other on other.word = other_word
),
cells as (
    select
        setting_key(sweep, model, setting) as cell, any_value(sweep) as sweep, any_value(model) as model,
        any_value(setting) as setting
    from plan
    group by cell
),
-- pair: of attributes, as one classifier sees them, in either order.
declared as (
    select cell, xor(hash(one.judge), hash(other.judge)) as pair, seed, joint.answer, other_answer, count
    from joint
    join cells using (cell)
    join words as one on one.sweep = cells.sweep and one.answer = joint.answer
    join words as other on other.sweep = cells.sweep and other.answer = other_answer
    where one.attribute <> other.attribute
),
seeds as (
    select cell, pair, seed, sum(count)::bigint as n from declared group by cell, pair, seed
),
totals as (
    select
        cell, pair, sum(n)::bigint as n, count(seed) as seeds, bool_or(seed is null) as seedless, sum(n ** 2) as nn
    from seeds
    group by cell, pair
),
-- Over the seeds, (k - n share)^2 is k^2 - 2 k n share + n^2 share^2; a seed without the pair has k = 0.
counted as (
    select
        cell, pair, answer, other_answer, sum(count)::bigint as count, sum(count ** 2) as kk, sum(count * seeds.n) as kn
    from declared
    left join seeds using (cell, pair, seed)
    group by cell, pair, answer, other_answer
),
effects as (
    select
        cell, pair, any_value(totals.n) as n, any_value(seeds) as seeds, any_value(seedless) as seedless,
        sum(kk - 2 * kn * count / totals.n::double + nn * (count / totals.n::double) ** 2)
            * any_value(seeds / nullif(seeds - 1, 0)::double)
            / nullif(sum(count / totals.n::double * (1 - count / totals.n::double)) * any_value(totals.n::double), 0)
            as estimate
    from totals
    join counted using (cell, pair)
    group by cell, pair
),
looked as materialized (
    from judges
),
asked as (
    select
        one.sweep, one.attribute, other.attribute as other_attribute, classifier,
        xor(hash(one.judge), hash(other.judge)) as pair
    from looked as one
    join looked as other using (sweep, classifier)
    where one.attribute < other.attribute
),
told as (
    from asked
    anti join unmeasured
        on unmeasured.sweep = asked.sweep and unmeasured.classifier = asked.classifier
        and unmeasured.attribute in (asked.attribute, other_attribute)
),
possible as (
    select
        cells.*, told.* exclude (sweep), one.group as "group", other.group as other_group,
        one.target * other.target as target, count(*) over (partition by cell, pair) as possible,
        answer_key(told.attribute, classifier, one.group) as answer,
        answer_key(told.other_attribute, classifier, other.group) as other_answer
    from cells
    join told using (sweep)
    join targets as one on one.sweep = told.sweep and one.attribute = told.attribute
    join targets as other on other.sweep = told.sweep and other.attribute = told.other_attribute
),
dense as (
    select
        possible.*, coalesce(count, 0) as count, coalesce(n, 0) as n,
        case when seedless or n = 0 then 1e0 when seeds > 1 then greatest(0.5e0, coalesce(estimate, 1e0)) end
            as design_effect,
        if(
            seedless, interval_z(confidence_level(), possible),
            student_bound((1 - confidence_level()) / possible, seeds - 1)
        ) as quantile
    from possible
    left join effects using (cell, pair)
    left join counted
        on counted.cell = possible.cell and counted.pair = possible.pair
        and counted.answer = least(possible.answer, possible.other_answer)
        and counted.other_answer = greatest(possible.answer, possible.other_answer)
)
select
    sweep, model, setting, attribute, other_attribute, classifier, "group", other_group, target, count, n, design_effect,
    count / nullif(n, 0)::double as share,
    case when n = 0 then 0e0 when quantile is not null then wilson_low(count / design_effect, n / design_effect, quantile) end as low,
    case when n = 0 then 1e0 when quantile is not null then wilson_high(count / design_effect, n / design_effect, quantile) end as high,
    n * target < sparse_below() as sparse,
    case when n = 0 then 'no image shows a declared group of both' when quantile is null then '1 seed is too few for an interval' end
        as reason
from dense
