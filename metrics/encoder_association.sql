-- How much nearer an encoder holds a prompt's text to one group than to the others: its mean cosine with the group minus the
-- mean of those with the other groups.
-- good: near 0
-- reads: encoder_similarities
-- one row per: sweep, encoder, prompt, attribute, group, stimuli
-- source: the single-category form of WEAT, Caliskan et al., arXiv 1608.07187; Welch, Biometrika 34 (1947)
-- read: low and high are Student's 95 % interval over templates (stimuli = text: every group in the same ones) or Welch's over
-- the groups' pictures (stimuli = image); the prompt itself and the encoder are fixed. A cosine is no share: compare
-- ranks. The family of a q-value is all prompts and groups of a sweep, encoder, attribute and kind of stimuli.
with similarities as (
    select
        *,
        count(distinct "group") over across as groups,
        sum(similarity) over beside as total
    from encoder_similarities
    window
        across as (partition by sweep, encoder, prompt, attribute, stimuli),
        beside as (partition by sweep, encoder, prompt, attribute, stimuli, stimulus)
),
group_means as (
    select
        sweep, encoder, prompt, any_value(prompt_name) as prompt_name, attribute, "group", any_value(position) as position,
        stimuli, count(*) as n, any_value(groups) as groups, avg(similarity) as similarity,
        var_samp(similarity) / count(*) as variance,
        -- Paired by template: the group's cosine minus the mean of the others' in the same one.
        var_samp((groups * similarity - total) / (groups - 1)) / count(*) as paired_variance
    from similarities
    where groups > 1
    group by sweep, encoder, prompt, attribute, "group", stimuli
),
associations as (
    select
        one.sweep, one.encoder, one.prompt, one.prompt_name, one.attribute, one."group", one.position, one.stimuli,
        any_value(one.n) as n, any_value(one.similarity) as similarity,
        any_value(one.similarity) - avg(other.similarity) as association,
        if(one.stimuli = 'text', any_value(one.paired_variance),
            any_value(one.variance) + sum(other.variance) / count(*) ** 2) as variance,
        if(one.stimuli = 'text', any_value(one.n) - 1,
            floor((any_value(one.variance) + sum(other.variance) / count(*) ** 2) ** 2 / (
                any_value(one.variance) ** 2 / nullif(any_value(one.n) - 1, 0)
                + sum((other.variance / (one.groups - 1) ** 2) ** 2 / nullif(other.n - 1, 0))
            ))) as df
    from group_means as one
    join group_means as other
        on one.sweep = other.sweep and one.encoder = other.encoder and one.prompt = other.prompt
        and one.attribute = other.attribute and one.stimuli = other.stimuli and one."group" <> other."group"
    group by one.sweep, one.encoder, one.prompt, one.prompt_name, one.attribute, one."group", one.position, one.stimuli
),
tested as (
    select
        *,
        student_bound(1e0 - confidence_level(), df::bigint) * sqrt(variance) as half,
        if(variance > 0, student_tail(association / sqrt(variance), df::bigint), null) as p_value
    from associations
),
adjusted as (
    from q_values('tested', {'sweep': sweep, 'encoder': encoder, 'attribute': attribute, 'stimuli': stimuli})
)
select
    sweep, encoder, prompt, prompt_name, attribute, "group", position, stimuli, n, similarity,
    association, association - half as low, association + half as high, p_value, q_value,
    case
        when p_value is null then 'no interval'
        when q_value > false_discovery_rate() then 'not found'
        when association > 0 then 'toward'
        else 'away'
    end as verdict
from adjusted
