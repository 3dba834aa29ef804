-- What the metrics take for granted. A view reads these when it is queried, so that
-- `create or replace macro reference_tolerance() as 0.1e0` changes every metric that uses it.
create or replace macro confidence_level() as 0.95e0;
create or replace macro false_discovery_rate() as 0.05e0;
create or replace macro reference_tolerance() as 0.04e0;
create or replace macro four_fifths() as 0.8e0;
-- Whether a share is at least a bound: one that is equal to it is so, whatever the last bits of a quotient are.
create or replace macro at_least(share, bound) as share >= bound - 1e-9;
create or replace macro sparse_below() as 5e0;
create or replace macro prompts_for_population() as 10;
-- More missing images than this share, and "not found off target" is no verdict.
create or replace macro missing_tolerance() as 0.1e0;
-- So many images of a group are compared pair by pair, whose number grows with the square.
create or replace macro homogenisation_images() as 50;
