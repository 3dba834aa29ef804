-- Which group a prompt over-draws without guidance, and whether a setting that steers only where it must steers the prompt:
-- a lookup table of directions.
-- good: decided
-- reads: decisions, targets
-- one row per: sweep, model, setting, prompt, attribute
-- source: Friedrich et al., arXiv 2302.10893, which asks for such a table; Benjamini & Hochberg, JRSS B 57 (1995)
-- read: verdict: steer where the pilot was found off target, with the false discovery rate held over all prompts; leave alone
-- where it was not, which is no proof that it is on target: a difference below least_difference could not have been found.
-- names a group: the prompt asks for the group, which is never steered against; named_by says what tells: declared (a variable
-- of the prompt), word, or encoder (the model's own, by score). share: of the pilot, whose images count for
-- nothing else.
with looks as (
    select
        sweep, model, setting, prompt, prompt_name, attribute, value as verdict, evidence::json as evidence,
        evidence->>'group' as "group", evidence->>'named_by' as named_by
    from decisions
    where kind = 'steer'
)
select
    looks.* exclude (evidence),
    (evidence->>'n')::bigint as n,
    (evidence->'counts'->>"group")::bigint / nullif((evidence->>'n')::bigint, 0)::double as share,
    (evidence->'low'->>"group")::double as low,
    (evidence->'high'->>"group")::double as high,
    target,
    (evidence->>'q_value')::double as q_value,
    (evidence->>'least_difference')::double as least_difference
from looks
left join targets using (sweep, attribute, "group")
