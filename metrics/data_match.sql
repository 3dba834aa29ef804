-- How the pictures of a source of training data were matched to each prompt: how many, how many of them near duplicates,
-- and what precision and recall a threshold on similarity is thought to have.
-- good: precision and recall near 1
-- reads: matchings
-- one row per: sweep, source, match, prompt
-- source: Seshadri, Singh & Elazar, arXiv 2308.00755 (captions that name groups); Dempster, Laird & Rubin, JRSS B 39 (1977)
-- read: captions: those that name the prompt's subject; captions-unnamed: of these, those that name no declared group, as
-- prompts do; nearest-k: the k most similar, which are the most typical and not a sample; threshold-mixture and
-- threshold-captions: all above a threshold between two components of the similarities, or between what captions give to
-- the prompt and to others. precision and recall are estimates of these two components, null for the rest.
select
    sweep, source, match, prompt, prompt_name, n, duplicates, threshold, precision, recall,
    pictures, damaged, without_caption, data_sweep
from matchings
