-- The proportion of a prompt's images without a declared group: no face, unknown or failed.
-- good: near 0
-- reads: distributions
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Agresti & Coull, The American Statistician 52 (1998)
-- read: low and high are over this prompt: seeds and images vary. Directions that were dealt make them wide.
-- range: 0 to 1
-- summary mean: missing_share
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier,
    missing / images::double as missing_share,
    share_low(missing, images, z_one) as low,
    share_high(missing, images, z_one) as high,
    no_face, unknown, failed, images
from distributions
