-- How well the images show what the prompt asks: the mean cosine between the embeddings of image and prompt.
-- good: high
-- reads: features, plan
-- one row per: sweep, model, setting, prompt, classifier
-- source: CLIPScore, Hessel et al., arXiv 2104.08718 (without its factor 2.5)
-- range: -1 to 1
-- summary mean: prompt_alignment
with scores as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, classifier,
        count(score) as n, avg(score) as prompt_alignment, stddev_samp(score) as spread
    from features
    join plan using (image_id)
    where score is not null
    group by sweep, model, setting, prompt, classifier
)
select
    sweep, model, setting, prompt, prompt_name, classifier, n, prompt_alignment,
    prompt_alignment - z * spread / sqrt(n) as low,
    prompt_alignment + z * spread / sqrt(n) as high
from scores
cross join (select interval_z(confidence_level(), 1) as z)
