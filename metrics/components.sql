-- Where a group's share comes from and what becomes of it: in the training data (each matching), in the encoder (an
-- association, no share), in the unguided pictures and in the guided ones; with the change from each to the next.
-- good: mitigated
-- reads: share, settings, matchings, encoder_association, encoder_similarities
-- one row per: sweep, component, name, versus, prompt, attribute, classifier, group
-- source: Friedrich et al., arXiv 2302.10893; Newcombe, Statistics in Medicine 17 (1998), method 10; Fisher, JRSS 98 (1935)
-- read: Pictures are compared with each matching of the data, guided ones with the unguided. low and high are those of the share (or
-- of the association); change_low and change_high join both intervals as if independent. p_value is Fisher's exact test of
-- the two counts, twice the smaller tail; the family of a q-value is the prompts and groups of a sweep, name, versus, attribute and classifier.
-- reflected: the change is within the tolerance with 95 % confidence; amplified, mitigated and reversed need q <= .05 and
-- say whether the share is farther from the target, nearer, or farther on its other side; else the change is not decided.
with named as (
    select distinct sweep, data_sweep from matchings
),
baselines as (
    select sweep, model, min(setting) as setting from settings where baseline group by sweep, model
),
shares as (
    select
        coalesce(named.sweep, share.sweep) as sweep,
        case
            when named.sweep is not null then 'data'
            when baselines.setting is not null then 'pictures'
            else 'guided'
        end as component,
        share.model, share.setting,
        share.model || if(named.sweep is null, ' ', '.') || share.setting as name,
        share.prompt, share.prompt_name, share.attribute, share.classifier, share."group", share.position,
        share.share, share.low, share.high, share.count, share.n, share.target
    from share
    left join named on named.data_sweep = share.sweep
    left join baselines
        on baselines.sweep = share.sweep and baselines.model = share.model and baselines.setting = share.setting
),
pairs as (
    select later.*, earlier.name as versus, earlier.share as earlier_share, earlier.low as earlier_low,
        earlier.high as earlier_high, earlier.count as earlier_count, earlier.n as earlier_n
    from shares as later
    join shares as earlier
        on earlier.sweep = later.sweep and earlier.prompt = later.prompt and earlier.attribute = later.attribute
        and earlier.classifier = later.classifier and earlier."group" = later."group"
        and (
            (later.component = 'pictures' and earlier.component = 'data')
            or (later.component = 'guided' and earlier.component = 'pictures' and earlier.model = later.model)
        )
),
changes as (
    select
        *,
        share - earlier_share as change,
        share - earlier_share - sqrt((share - low) ** 2 + (earlier_high - earlier_share) ** 2) as change_low,
        share - earlier_share + sqrt((high - share) ** 2 + (earlier_share - earlier_low) ** 2) as change_high,
        if(n > 0 and earlier_n > 0, fisher_test(count, n, earlier_count, earlier_n), null) as p_value
    from pairs
),
tested as (
    from q_values('changes', {
        'sweep': sweep, 'name': name, 'versus': versus, 'attribute': attribute, 'classifier': classifier
    })
),
decided as (
    select
        *,
        case
            when p_value is null then if(n > 0 and earlier_n > 0, 'not measured', 'no images')
            when change_low >= -reference_tolerance() and change_high <= reference_tolerance() then 'reflected'
            when q_value > false_discovery_rate() then 'not decided'
            when abs(share - target) <= abs(earlier_share - target) then 'mitigated'
            when (share - target) * (earlier_share - target) < 0 then 'reversed'
            else 'amplified'
        end as verdict
    from tested
),
-- Sweeps whose data or encoder was audited.
audited as (
    select sweep from matchings
    union
    select sweep from encoder_similarities
)
select
    sweep, component, name, null as versus, prompt, prompt_name, attribute, classifier, "group", position,
    share as value, low, high, n, target, null::double as change, null::double as change_low,
    null::double as change_high, null::double as p_value, null::double as q_value, null as verdict
from shares
semi join audited using (sweep)
where component = 'data' or (sweep, prompt, attribute, name) not in (select (sweep, prompt, attribute, name) from pairs)
union all
select
    sweep, 'encoder', encoder, null, prompt, prompt_name, attribute, null, "group", position + 1,
    association, low, high, n, null, null, null, null, p_value, q_value, verdict
from encoder_association
where stimuli = 'text'
union all
select
    sweep, component, name, versus, prompt, prompt_name, attribute, classifier, "group", position,
    share, low, high, n, target, change, change_low, change_high, p_value, q_value, verdict
from decided
semi join audited using (sweep)
