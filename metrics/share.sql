-- The proportion of a prompt's images that show each declared group, of those that show any.
-- good: near the target
-- reads: distributions
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: Agresti & Coull, The American Statistician 52 (1998); directions dealt by quota: Price & Bonett, Computational
-- Statistics & Data Analysis 45 (2004); simultaneous for more than two groups by Bonferroni
-- summary: count(distinct prompt) as prompts, max(images) as images_per_prompt, sum(count)::bigint as labelled
-- read: low and high are over this prompt, with 95 % confidence: seeds and images vary; of a sweep that stops by looking they
-- are those of share_anytime, which hold at any look. worst_low and worst_high are the shares if every missing image
-- (no face, unknown, failed) had shown none of this group, or only this group. A group that the
-- classifier cannot tell is not measured: null, and the shares are over the other groups.
with counted as (
    -- Not by its name in quotes: what reads shares is to be known to read distributions.
    from distributions
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, "group", position, count, n, images, share, low, high,
    target, missing,
    if(told, count / images::double, null) as worst_low,
    if(told, (count + missing) / images::double, null) as worst_high,
    reason
from placed_shares('counted')
