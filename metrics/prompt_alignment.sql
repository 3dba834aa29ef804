-- How well the images show what the prompt asks: the mean cosine between the embeddings of image and prompt.
-- good: high
-- reads: features, plan, readers
-- one row per: sweep, model, setting, prompt, classifier
-- source: CLIPScore, Hessel et al., arXiv 2104.08718 (without its factor 2.5)
-- read: low and high are Student's, over this prompt: seeds and images vary; one image has none.
-- range: -1 to 1
-- summary mean: prompt_alignment
with scores as (
    select
        sweep, model, setting, prompt, any_value(prompt_name) as prompt_name, classifier,
        count(score) as n, avg(score) as prompt_alignment, stddev_samp(score) as spread
    from features
    join plan using (image_id)
    semi join readers using (sweep, classifier)
    where score is not null
    group by sweep, model, setting, prompt, classifier
)
select
    * exclude (spread, z),
    prompt_alignment - student_quantile(z, n - 1) * spread / sqrt(n) as low,
    prompt_alignment + student_quantile(z, n - 1) * spread / sqrt(n) as high,
    spread_reason(n, 'image') as reason
from scores
cross join (select interval_z(confidence_level(), 1) as z)
