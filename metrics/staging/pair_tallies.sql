-- How many images went from each outcome to each, from the unguided baseline of a model (`versus`) to each other setting
-- on the same prompt and seed: for each prompt (seed is null), and over all prompts for each seed (prompt is null). A seed
-- that a cell names more than once pairs with nothing: which image would be whose is not known.
-- reads: plan, settings, placed_images, label_rows, meanings, judges
-- one row per: sweep, model, setting, versus, prompt, seed, attribute, classifier, before, after
with looked as materialized (
    from judges
),
baselines as (
    select sweep, model, min(setting) as versus from settings where baseline group by sweep, model
),
-- 64-bit keys instead of text, as in unit_counts.
placed as (
    from placed_images
),
pairs as materialized (
    select guided.image, unguided.image as other, guided.unit, guided.cell, guided.seed
    from placed as guided
    join placed as unguided using (place)
    where unguided.baseline and not guided.baseline
),
answers as (
    select
        hash(image_id) as image, judge_key(attribute, classifier) as judge,
        answer_key(attribute, classifier, label) as answer
    from label_rows
    where error is null and label is not null
),
guided as (
    select unit, cell, seed, xor(image, judge) as pair, judge, answer from pairs join answers using (image)
),
unguided as (
    select unit, cell, seed, xor(pairs.image, judge) as pair, judge, answer
    from pairs
    join answers on answers.image = other
),
tallies as (
    select
        coalesce(unit, cell) as place, seed, judge, unguided.answer as answer_before, guided.answer as answer_after,
        count(*) as n
    from guided
    full join unguided using (unit, cell, seed, pair, judge)
    group by grouping sets ((unit, judge, answer_before, answer_after), (cell, seed, judge, answer_before, answer_after))
),
-- What the keys stand for.
units as (
    select
        prompt_key(sweep, model, setting, prompt) as unit, any_value(setting_key(sweep, model, setting)) as cell,
        any_value(sweep) as sweep, any_value(model) as model, any_value(setting) as setting, any_value(versus) as versus,
        any_value(prompt) as prompt, any_value(prompt_name) as prompt_name
    from plan
    join baselines using (sweep, model)
    group by unit
),
places as (
    select unit as place, * exclude (unit, cell) from units
    union all
    select distinct cell, sweep, model, setting, versus, null, null from units
),
words as (
    select sweep, answer, outcome, position from meanings
),
-- Several words may mean the same outcome.
known as (
    select
        place, any_value(places.sweep) as sweep, seed, judge, coalesce(was.outcome, 'failed') as before,
        coalesce(became.outcome, 'failed') as after, any_value(was.position) as position_before,
        any_value(became.position) as position_after, sum(n)::bigint as n
    from tallies
    join places using (place)
    semi join looked using (sweep, judge)
    left join words as was on was.sweep = places.sweep and was.answer = answer_before
    left join words as became on became.sweep = places.sweep and became.answer = answer_after
    group by place, seed, judge, before, after
),
-- An image without any answer counts as failed: here those where neither of a pair has one.
answered as (
    select place, judge, any_value(sweep) as sweep, sum(n) as n from known where seed is null group by place, judge
),
sizes as (
    select unit as place, count(*) as pairs from pairs group by unit
),
lost as (
    select place, judged.sweep, judged.judge, (pairs - coalesce(answered.n, 0))::bigint as n
    from sizes
    join places using (place)
    join looked as judged using (sweep)
    left join answered using (place, judge)
    where pairs > coalesce(answered.n, 0)
)
select
    sweep, model, setting, versus, prompt, prompt_name, seed, attribute, classifier, before, after, position_before,
    position_after, n
from (
    from known
    union all by name
    select *, 'failed' as before, 'failed' as after from lost
)
join places using (place, sweep)
join looked using (sweep, judge)
