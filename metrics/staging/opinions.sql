-- Whether the classifiers that looked at an image say the same of it, and how sure the least sure of them is.
-- reads: labels
-- one row per: image, attribute
select
    image_id, attribute,
    count(*) as classifiers,
    min(label) <> max(label) as disagreed,
    min(score) as lowest_score
from labels
where error is null
group by image_id, attribute
