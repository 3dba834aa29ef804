-- What was said of each image, as 64-bit numbers in place of text: a label that failed is one answer.
-- reads: label_rows
-- one row per: label
select hash(image_id) as image, answer_key(attribute, classifier, if(error is null, label, null)) as answer
from label_rows
