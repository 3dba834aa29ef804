-- Pearson's goodness-of-fit statistic of the counts against the target, with its asymptotic p-value; groups whose target
-- is 0 take no degree of freedom, and drawing one makes the statistic infinite.
-- good: near its degrees of freedom
-- reads: distributions, noise_floors
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: Pearson, Philosophical Magazine 50 (1900)
-- range: 0 to infinity
-- read: low and high are over this prompt: seeds and images vary.
-- low and high bound n times the divergence of the shares inside their intervals; target_test is the exact test.
with tested as (
    select
        *,
        n * chi_square_of(shares, targets) as chi_square,
        len(list_filter(targets, lambda t: t > 0)) - 1 as df
    from distributions
)
select
    sweep, model, setting, prompt, prompt_name, attribute, classifier, tested.n,
    tested.chi_square,
    tested.n * chi_square_of(nearest_target, targets) as low,
    tested.n * list_max(list_transform(extremes, lambda p: chi_square_of(p, targets))) as high,
    df,
    case when isinf(tested.chi_square) then 0e0 when df = 0 then 1e0 else chi_square_tail(tested.chi_square, df) end
        as p_value,
    noise_floors.chi_square as noise_floor,
    tested.chi_square - noise_floors.chi_square as above_floor,
    reason
from tested
left join noise_floors on noise_floors.fair = tested.targets and noise_floors.n = tested.floor_n
