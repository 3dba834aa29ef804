-- What a sweep in rounds decided about a prompt and an attribute, at the last look, and what it was read off.
-- good: decided
-- reads: decisions
-- one row per: sweep, model, setting, prompt, attribute, kind
-- source: docs/rounds.md
-- read: kind stop: whether the prompt is off its target or on it, sure at any time one looks; undecided: it goes on, or had the
-- most seeds. out of reach: hardly a chance of a verdict within the most seeds. unreadable: most images surely show no
-- declared group. why: images of each group, and in per cent what its share may be; where it ended without a verdict, how
-- many images would decide if they went on like these. A prompt whose images all failed has no row: the next run tries them
-- again. kind steer: see over_drawn; kind quota: what the pilot of a calibrated setting found; why: the share of directions
-- to each group, and what they are foreseen to show.
with last as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, attribute, kind,
        arg_max(value, round) as verdict, count(*) as looks, arg_max(evidence, round)::json as evidence
    from decisions
    where kind <> 'skew'
    group by sweep, model, setting, prompt, attribute, kind
)
select
    * exclude (evidence),
    (evidence->>'images')::bigint as images,
    concat_ws('; ', array_to_string(list_transform(json_keys(evidence->'counts'), lambda g: concat(
        g, ' ', evidence->'counts'->>g,
        ' (' || round(100 * (evidence->'low'->>g)::double)::bigint || ' to ' || round(100 * (evidence->'high'->>g)::double)::bigint || ' %)'
    )), ', '), 'q ' || round((evidence->>'q_value')::double, 4), nullif(concat_ws(', ',
        'quota ' || array_to_string(list_transform((evidence->'quota')::double[], lambda s: round(100 * s)::bigint), ' : ') || ' %',
        'foreseen ' || array_to_string(list_transform((evidence->'outcome')::double[], lambda s: round(100 * s)::bigint), ' : ')
            || ' %',
        'scale ' || format('{:g}', (evidence->>'scale')::double)
    ), ''), 'some ' || (evidence->>'needed') || ' images would decide') as why
from last
