-- The references that a sweep is compared with: those that it names, or where it names none (an import) all that are of
-- no built-in model.
-- reads: settings, reference_shares
-- one row per: sweep, reference
select distinct settings.sweep, known.reference
from settings
join (select distinct reference, model from reference_shares) as known
    on if(
        settings."references" is null, known.model is null, list_contains(settings."references", known.reference)
    )
