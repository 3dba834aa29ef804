-- What is counted together, as 64-bit numbers in place of text, which make a join of millions of rows several times
-- faster: the images of a setting, those of one prompt of it, those of one seed of it, and those of a prompt that one block
-- of seeds made, steered to the same groups. Each column is hashed by itself, as in answer_key.
create or replace macro setting_key(sweep, model, setting) as
    hash(hash(sweep), hash(model), hash(setting));
create or replace macro prompt_key(sweep, model, setting, prompt) as
    hash(hash(sweep), hash(model), hash(setting), hash(prompt));
create or replace macro seed_key(sweep, model, setting, seed) as hash(setting_key(sweep, model, setting), seed);
create or replace macro unit_key(sweep, model, setting, prompt, seed_block, steered) as
    hash(prompt_key(sweep, model, setting, prompt), seed_block, steered);
