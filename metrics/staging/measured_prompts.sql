-- Which prompts of a cell have an image that shows a declared group, as one number: where two cells' numbers differ, what
-- is a mean over prompts in both is one over other prompts.
-- reads: group_counts
-- one row per: sweep, model, setting, attribute, classifier
select
    sweep, model, setting, attribute, classifier, count(*) filter (n > 0) as measured,
    bit_xor(hash(prompt)) filter (n > 0) as prompts_key
from group_counts
group by all
