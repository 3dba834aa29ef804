-- The distributions as they would be without one block of seeds, everywhere that block's seeds were used: what the
-- bootstrap resamples seeds by. Eight blocks of equal size keep ten million labels to seconds; how few they are is in
-- the intervals, as degrees of freedom (the delete-a-group jackknife: Kott, Journal of Official Statistics 17, 2001).
-- reads: plan, targets, label_rows, group_counts
-- one row per: sweep, model, setting, prompt, attribute, classifier, seed_block
with blocks as (
    select seed, row_number() over (order by seed) % 8 as seed_block
    from (select distinct seed from plan where seed is not null)
),
-- 64-bit keys as in counts; a unit is the images of a prompt that a block of seeds made.
placed as (
    select
        hash(image_id) as image, hash(sweep, model, setting, prompt) as cell, seed_block,
        hash(sweep, model, setting, prompt, seed_block) as unit
    from plan
    join blocks using (seed)
),
units as (
    select unit, any_value(cell) as cell, any_value(seed_block) as seed_block, count(*) as images
    from placed
    group by unit
),
answers as (
    select hash(image_id) as image, answer_key(attribute, classifier, label) as answer from label_rows
),
tallies as (
    select xor(unit, answer) as key, any_value(answer) as answer, count(*) as n
    from answers
    join placed using (image)
    group by key
),
given as (
    select
        *, hash(sweep, model, setting, prompt) as cell, hash(sweep, attribute, classifier) as judge
    from group_counts
),
dictionary as (
    select judged.*, label, answer_key(attribute, classifier, label) as answer, list_position(groups, label) as place
    from (select distinct sweep, attribute, classifier, judge, groups from given) as judged
    cross join (select distinct label from label_rows where label is not null)
),
sweeps as (
    select distinct sweep, cell from given
),
said as (
    select
        units.unit, judge,
        list(place) filter (place is not null) as places,
        list(n) filter (place is not null) as counts,
        coalesce(sum(n) filter (place is not null), 0)::bigint as n,
        coalesce(sum(n) filter (place is null and label = 'no_face'), 0)::bigint as no_face,
        coalesce(sum(n) filter (place is null and label <> 'no_face'), 0)::bigint as unknown
    from tallies
    join units on units.unit = xor(key, answer)
    join sweeps using (cell)
    join dictionary on dictionary.answer = tallies.answer and dictionary.sweep = sweeps.sweep
    group by units.unit, judge
),
-- A prompt that has images of no other block keeps what it has.
remaining as (
    select
        given.*, unit, seed_block, said.places, said.counts as lost,
        given.images > units.images and given.n > coalesce(said.n, 0) as any_left,
        units.images as lost_images, said.n as lost_n, said.no_face as lost_no_face, said.unknown as lost_unknown
    from given
    join units using (cell)
    left join said using (unit, judge)
),
left_out as (
    select
        * replace (
            if(any_left, images - lost_images, images) as images,
            if(any_left, n - coalesce(lost_n, 0), n)::bigint as n,
            if(any_left, no_face - coalesce(lost_no_face, 0), no_face)::bigint as no_face,
            if(any_left, unknown - coalesce(lost_unknown, 0), unknown)::bigint as unknown,
            if(
                any_left and lost is not null,
                list_transform(counts, lambda k, i: k - coalesce(lost[list_position(places, i)], 0)),
                counts
            ) as counts
        )
    from remaining
)
select
    * exclude (cell, unit, judge, places, lost, any_left, lost_images, lost_n, lost_no_face, lost_unknown)
    replace (
        images - n as missing,
        images - n - no_face - unknown as failed,
        if(n > 0, list_transform(counts, lambda k: k / n::double), null) as shares
    )
from left_out
