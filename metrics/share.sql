-- The proportion of a prompt's images that show each declared group, of those that show any.
-- good: near the target
-- reads: distributions
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: Agresti & Coull, The American Statistician 52 (1998); directions dealt by quota: Price & Bonett, Computational
-- Statistics & Data Analysis 45 (2004); simultaneous for more than two groups by Bonferroni
-- summary: count(distinct prompt) as prompts, max(images) as images_per_prompt, sum(count)::bigint as labelled
-- read: low and high are over this prompt, with 95 % confidence: seeds and images vary; of a sweep that stops by looking they
-- are those of share_anytime, which hold at any look. worst_low and worst_high are the shares if every missing image
-- (no face, unknown, failed) had shown none of this group, or only this group.
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier,
    unnest(groups) as "group",
    unnest(range(1, len(groups) + 1)) as position,
    unnest(counts) as count,
    n,
    images,
    unnest(coalesce(shares, list_transform(groups, lambda g: null::double))) as share,
    unnest(lows) as low,
    unnest(highs) as high,
    unnest(targets) as target,
    missing,
    unnest(list_transform(counts, lambda k: k / images::double)) as worst_low,
    unnest(list_transform(counts, lambda k: (k + missing) / images::double)) as worst_high
from distributions
