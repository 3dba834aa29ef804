-- The images of a cell, each beside the unguided image of its seed, with what every classifier saw in both.
with guided as (
    select image_id, prompt, prompt_name, seed, direction[$attribute] as steered_to
    from plan
    where sweep = $sweep and model = $model and setting = $setting and coalesce(prompt_name = $prompt, true)
),
unguided as (
    select prompt, seed, image_id as unguided_id
    from plan
    join settings using (sweep, model, setting)
    where sweep = $sweep and model = $model and baseline
),
pairs as (
    select * from guided left join unguided using (prompt, seed)
),
shown as (
    select image_id from pairs
    union
    select unguided_id from pairs
),
answers as (
    select
        image_id,
        list({classifier: classifier, label: label, score: score} order by classifier) as answers,
        count(distinct label) as opinions,
        min(score) as lowest,
        any_value(label) filter (classifier = $classifier) as label
    from labels
    semi join shown using (image_id)
    where attribute = $attribute and error is null
    group by image_id
)
select
    prompt_name, seed, steered_to, pairs.image_id, unguided_id,
    after.answers, before.answers as unguided_answers,
    coalesce(after.opinions > 1, false) as disagreed,
    coalesce(after.label <> before.label, false) as flipped,
    after.lowest as lowest_score,
    count(*) over () as total
from pairs
left join answers as after on after.image_id = pairs.image_id
left join answers as before on before.image_id = pairs.unguided_id
order by
    case $order
        when 'disagreement' then (not disagreed)::double
        when 'flips' then (not flipped)::double
        when 'lowest score' then lowest_score
    end nulls last,
    if($order = 'seed', null, lowest_score) nulls last,
    prompt_name, seed
limit $size offset $start
