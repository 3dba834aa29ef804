-- Whose labels of its images are a sweep's: those of the classifiers that it names, or where it names none (an import) of
-- all. Sweeps share images, and what the classifiers of one say is neither said nor missing in another.
-- reads: settings, targets, label_rows
-- one row per: sweep, classifier
with named as (
    select sweep, any_value(readers) as readers
    from (select sweep, readers from settings union all select sweep, null from targets)
    group by sweep
)
select distinct sweep, unnest(readers) as classifier from named
union all
select sweep, classifier from named cross join (select distinct classifier from label_rows) where readers is null
