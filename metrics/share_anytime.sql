-- The proportion of a prompt's images that show each declared group, with an interval that holds however often one looks
-- and whenever one stops adding seeds.
-- good: near the target
-- reads: group_counts
-- one row per: sweep, model, setting, prompt, attribute, classifier, group
-- source: confidence sequences, Howard et al., arXiv 1810.08240; Dirichlet-multinomial mixture, Robbins, Annals of
-- Mathematical Statistics 41 (1970); directions dealt by quota: product over directions; simultaneous for more than two groups by Bonferroni
-- read: low and high are over this prompt, with 95 % confidence at all numbers of images at once: wider than those of
-- share, which hold for one number fixed beforehand. farthest is how far the share may be from its target. evidence is the
-- logarithm of the e-value against the target, at any time: from 3.0 on it is refuted with 95 % confidence; null where
-- directions were dealt. A group that the classifier cannot tell is not measured, and then neither farthest nor evidence is known.
with bounded as (
    select
        *, (1e0 - confidence_level()) / group_tests(len(groups)) as error,
        if(len(strata) > 1, null, anytime_evidence(counts, targets)) as evidence
    from group_counts
),
intervals as (
    select
        *,
        list_transform(groups, lambda g, i: anytime_low(strata, i, error)) as lows,
        list_transform(groups, lambda g, i: anytime_high(strata, i, error)) as highs
    from bounded
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, "group", position, count, n, images, share, low, high,
    target,
    if(unmeasured is null, greatest(highs[position] - target, target - lows[position]), null) as farthest,
    missing,
    if(unmeasured is null, evidence, null) as evidence,
    reason
from placed_shares('intervals')
