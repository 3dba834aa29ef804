-- Whether the classifiers that looked at an image say the same of it, and how sure the least sure of them is.
-- reads: labels, plan, readers
-- one row per: sweep, image, attribute
select
    sweep, image_id, attribute,
    count(*) as classifiers,
    min(label) <> max(label) as disagreed,
    min(score) as lowest_score
from labels
join plan using (image_id)
semi join readers using (sweep, classifier)
where error is null
group by sweep, image_id, attribute
