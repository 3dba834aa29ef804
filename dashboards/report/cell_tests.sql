-- Whether all images of a cell together miss the target, and what they could have found.
select
    model, setting, attribute, seeds, n as images, p_value, q_value, least_difference
from cell_test
where sweep = $sweep and (attribute, classifier) in $lead
order by attribute, model, setting
