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
    select hash(image_id) as image, answer_key(attribute, classifier, label) as answer from label_rows
),
tallies as (
    select xor(cell, answer) as key, any_value(answer) as answer, count(*) as n
    from answers
    join placed using (image)
    group by key
),
-- What any row may say, one column at a time, which reads the files' own dictionaries; a label that failed is null.
dictionary as (
    select *, answer_key(attribute, classifier, label) as answer
    from (select distinct attribute from label_rows)
    cross join (select distinct classifier from label_rows)
    cross join (select distinct label from label_rows)
    where attribute <> '_image'
),
answered as (
    select
        prompts.sweep, cell, dictionary.attribute, classifier,
        case
            when label is null then 'failed'
            when targets.group is not null or label = 'no_face' then label
            else 'unknown'
        end as outcome,
        sum(n)::bigint as n
    from tallies
    join dictionary using (answer)
    join prompts on prompts.cell = xor(key, tallies.answer)
    left join targets
        on targets.sweep = prompts.sweep
        and targets.attribute = dictionary.attribute
        and targets.group = label
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
answered_at_all as (
    select cell, attribute, classifier, sum(n) as n from answered where outcome <> 'failed' group by all
)
select
    prompts.sweep, model, setting, prompt, prompt_name, possible.attribute, possible.classifier, possible.outcome,
    position, target,
    -- An image without any answer counts as failed, like one whose answer was an error.
    if(possible.outcome = 'failed', images - coalesce(answered_at_all.n, 0), coalesce(answered.n, 0))::bigint as n
from prompts
join possible using (sweep)
left join answered using (cell, attribute, classifier, outcome)
left join answered_at_all using (cell, attribute, classifier)
