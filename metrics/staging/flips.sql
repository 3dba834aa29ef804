-- Where the images of a prompt went between the unguided baseline of a model (`versus`) and each other setting, on the
-- same seeds.
-- reads: pair_tallies
-- one row per: sweep, model, setting, versus, prompt, attribute, classifier, before, after
select * exclude (seed) from pair_tallies where prompt is not null
