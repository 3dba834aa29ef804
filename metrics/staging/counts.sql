-- How many images of a prompt had each outcome; a declared group that was never drawn has 0.
-- reads: group_counts
-- one row per: sweep, model, setting, prompt, attribute, classifier, outcome
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier,
    unnest(list_concat(groups, ['no_face', 'unknown', 'failed'])) as outcome,
    unnest(list_concat(range(1, len(groups) + 1), [null, null, null])) as position,
    unnest(list_concat(targets, [null, null, null])) as target,
    unnest(list_concat(counts, [no_face, unknown, failed])) as n
from group_counts
