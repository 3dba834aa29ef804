-- What the 64-bit keys of prompts and settings stand for; prompt is null for a setting.
-- reads: cell_names
-- one row per: sweep, model, setting, prompt
select cell as place, sweep, model, setting, prompt, prompt_name from cell_names
union all
select distinct setting_key(sweep, model, setting), sweep, model, setting, null, null from cell_names
