-- A number in (0, 1) that depends on the text alone, in every version of DuckDB.
create or replace macro uniform_draw(text) as (md5_number_upper(text)::double + 0.5e0) / 18446744073709551616e0;
