-- The proportion of a prompt's images without a declared group: no face, unknown or failed.
-- good: near 0
-- reads: distributions
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Wilson, JASA 22 (1927)
-- range: 0 to 1
-- summary mean: missing_share
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier,
    missing / images::double as missing_share,
    wilson_low(missing, images, z_one) as low,
    wilson_high(missing, images, z_one) as high,
    no_face, unknown, failed, images
from distributions
