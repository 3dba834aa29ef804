-- How well the images show what the prompt asks: the mean cosine between the embeddings of image and prompt.
-- good: high
-- reads: prompt_alignment_tallies
-- one row per: sweep, model, setting, prompt, classifier
-- source: CLIPScore, Hessel et al., arXiv 2104.08718 (without its factor 2.5)
-- read: low and high are Student's, over this prompt: seeds and images vary; one image has none.
-- range: -1 to 1
-- summary mean: prompt_alignment
with tallies as (
    from prompt_alignment_tallies
)
select sweep, model, setting, prompt, prompt_name, classifier, n, mean as prompt_alignment, low, high, reason
from pooled('tallies')
