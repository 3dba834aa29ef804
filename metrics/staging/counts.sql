-- How many images of a prompt had each outcome; a declared group that was never drawn has 0.
-- reads: plan, targets, label_rows
-- one row per: sweep, model, setting, prompt, attribute, classifier, outcome
with prompts as (
    select sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, count(*) as images,
        hash(sweep, model, setting, prompt) as cell
    from plan
    group by sweep, model, setting, prompt
),
-- 64-bit keys instead of text make the one large join and the one large aggregate several times faster.
placed as (
    select hash(image_id) as image, hash(sweep, model, setting, prompt) as cell from plan
),
answers as (
    select hash(image_id) as image, hash(attribute, classifier, label) as answer from label_rows
),
tallies as (
    select xor(cell, answer) as key, count(*) as n from answers join placed using (image) group by key
),
-- A label that failed is null.
dictionary as (
    select *, hash(attribute, classifier, label) as answer
    from (select distinct attribute, classifier, label from label_rows)
    where attribute <> '_image'
),
answered as (
    select
        dictionary.sweep, cell, dictionary.attribute, dictionary.classifier,
        case
            when dictionary.label is null then 'failed'
            when targets.group is not null or dictionary.label = 'no_face' then dictionary.label
            else 'unknown'
        end as outcome,
        sum(n)::bigint as n
    from tallies
    join (select *, xor(cell, answer) as key from prompts cross join dictionary) as dictionary using (key)
    left join targets
        on targets.sweep = dictionary.sweep
        and targets.attribute = dictionary.attribute
        and targets.group = dictionary.label
    group by all
),
judged as (
    select distinct sweep, attribute, classifier from answered semi join targets using (sweep, attribute)
),
possible as (
    select sweep, attribute, classifier, targets.group as outcome, position, target
    from judged
    join targets using (sweep, attribute)
    union all
    select judged.*, unnest(['no_face', 'unknown', 'failed']), null, null from judged
),
dense as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, classifier, outcome, position, target, images,
        coalesce(answered.n, 0) as answers
    from prompts
    join possible using (sweep)
    left join answered using (sweep, cell, attribute, classifier, outcome)
)
select
    * exclude (images, answers),
    -- An image without any answer counts as failed, like one whose answer was an error.
    if(
        outcome = 'failed',
        images - sum(if(outcome = 'failed', 0, answers)) over (
            partition by sweep, model, setting, prompt, attribute, classifier
        ),
        answers
    )::bigint as n
from dense
