-- How many images of the same prompt and seed went from one outcome to another, from the unguided baseline to a setting.
-- good: -
-- reads: flips
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier, before, after
-- source: the paired contingency table
with pairs as (
    select
        *, sum(n) over (
            partition by sweep, model, setting, versus, prompt, attribute, classifier
        )::bigint as pairs
    from flips
)
select
    * exclude (position_before, position_after, z),
    before <> after as flipped,
    n / pairs::double as share,
    wilson_low(n, pairs, z) as low,
    wilson_high(n, pairs, z) as high
from pairs
cross join (select interval_z(confidence_level(), 1) as z)
