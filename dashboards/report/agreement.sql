-- How far the classifiers agree beyond chance.
select attribute, classifier, other_classifier, n as images, observed as agreed, kappa, low as kappa_low, high as kappa_high
from agreement
where sweep = $sweep and classifier < other_classifier
order by attribute, classifier, other_classifier
