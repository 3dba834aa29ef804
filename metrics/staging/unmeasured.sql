-- The declared groups that a classifier cannot tell, by its own account: it never measures them.
-- reads: targets
-- one row per: sweep, attribute, classifier, group
select sweep, attribute, unnest(unknown_to) as classifier, "group" from targets
