-- Whether an encoder holds one set of stimuli (x) nearer to a than to b, compared with another set (y): WEAT on texts,
-- iEAT on images, and the mixed form.
-- good: near 0
-- reads: encoder_test_rows
-- one row per: sweep, encoder, test
-- source: Caliskan et al., arXiv 1608.07187; May et al., arXiv 1903.10561; Steed & Caliskan, arXiv 2010.15052
-- read: effect is the difference of the sets' mean associations over the sample standard deviation of both together. p_value
-- is one-sided over the partitions of x and y, ties counted: all of them, or as many as `draws` says and the observed one,
-- with the Monte Carlo standard error `error`. least_p is the least p-value the test can give; one above the level
-- cannot find anything. The family of a q-value is the tests of a sweep and an encoder.
with tested as (
    from encoder_test_rows
),
adjusted as (
    from q_values('tested', {'sweep': sweep, 'encoder': encoder})
)
select
    sweep, encoder, test, form, x, y, a, b, n_x, n_y, n_a, n_b, difference, effect, p_value, error, q_value, least_p,
    partitions, draws, if(draws is null, null, seed) as seed, source,
    case
        when effect is null then 'no difference to test'
        when least_p > false_discovery_rate() then 'too few stimuli to find anything'
        when q_value <= false_discovery_rate() then 'associated'
        else 'not found'
    end as verdict
from adjusted
