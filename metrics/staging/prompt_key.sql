-- What is counted together, as 64-bit numbers in place of text, which make a join of millions of rows several times
-- faster: the images of a setting, and those of one prompt of it.
create or replace macro setting_key(sweep, model, setting) as hash(sweep, model, setting);
create or replace macro prompt_key(sweep, model, setting, prompt) as hash(sweep, model, setting, prompt);
