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
with placed as (
    select
        *, unnest(groups) as "group", unnest(range(1, len(groups) + 1)) as position,
        unnest(list_transform(groups, lambda g: unmeasured is null or not list_contains(unmeasured, g))) as told
    from distributions
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, "group", position,
    if(told, counts[position], null) as count,
    n,
    images,
    if(told and n > 0, counts[position] / n::double, null) as share,
    if(told, lows[position], null) as low,
    if(told, highs[position], null) as high,
    targets[position] as target,
    missing,
    if(told, counts[position] / images::double, null) as worst_low,
    if(told, (counts[position] + missing) / images::double, null) as worst_high,
    if(told and n > 0, null, reason) as reason
from placed
