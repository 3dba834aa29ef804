-- The block that each seed is dealt to: eight of equal size within each sweep, the same under every prompt and setting.
-- reads: plan
-- one row per: sweep, seed
select sweep, seed, row_number() over (partition by sweep order by seed) % 8 as seed_block
from (select distinct sweep, seed from plan where seed is not null)
