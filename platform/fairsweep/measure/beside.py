"""Several sweeps side by side as one: their plans and settings, and the attributes that all of them declare alike."""

from collections.abc import Sequence

import duckdb

from fairsweep.errors import FairsweepError
from fairsweep.measure.sql import listed, literal, value


def name(sweeps: Sequence[str]) -> str:
    """Return what sweeps are called together: the name of one, or of several a name that no sweep can have."""
    return " + ".join(sweeps)


def base(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the schema of the views over the whole store, behind what is temporary on a connection."""
    # With the database's name: a schema `main` is also where temporary tables and views lie.
    return f'"{value(connection.execute("select current_database()"))}".main'


def scope(connection: duckdb.DuckDBPyConnection, sweeps: Sequence[str]) -> dict[str, str]:
    """Return the queries of the views of these sweeps that all others follow from, such as `plan`, by name.

    Several sweeps are one under their `name`: a model that more than one of them has goes by its own name and the
    sweep's, and each attribute is read by one classifier, the same for all if there is one that read it in all.
    Raises FairsweepError where they declare nothing alike.
    """
    views = base(connection)
    if len(sweeps) == 1:
        own = f"where sweep = {literal(sweeps[0])}"
        # Its training data are a sweep of their own, beside which `components` sets it.
        data = f"{own} or sweep in (select data_sweep from {views}.matchings {own})"
        return {view: f"select * from {views}.{view} {data}" for view in ("plan", "planned", "targets", "settings")}
    alike = [attribute for attribute, same in declared(connection, sweeps).items() if same]
    if not alike:
        raise FairsweepError(
            f"{' and '.join(sweeps)} declare no attribute with the same groups and targets: "
            "give each sweep a report of its own"
        )
    together, chosen = literal(name(sweeps)), f"sweep in ({listed(sweeps)})"
    twice = f"select model from {views}.settings where {chosen} group by model having count(distinct sweep) > 1"
    renamed = f"{together} as sweep, if(model in ({twice}), concat(model, ' (', sweep, ')'), model) as model"
    read_by = readers(connection, sweeps, alike)
    # Asked now: behind a view of the name `settings`, `readers` would ask that view.
    theirs = connection.execute(
        f"select distinct classifier from {views}.readers where {chosen} order by all"
    ).fetchall()
    counted = listed(dict.fromkeys([*(row[0] for row in theirs), *map(_together, read_by.values())]))
    first = f"where sweep = {literal(sweeps[0])} and attribute in ({listed(alike)})"
    return {
        "plan": f"select * replace ({renamed}) from {views}.plan where {chosen}",
        "planned": f"select * replace ({renamed}) from {views}.planned where {chosen}",
        "targets": f"select * replace ({together} as sweep, {_untold(views, read_by)} as unknown_to) "
        f"from {views}.targets {first}",
        "settings": f"select * replace ({renamed}, [{counted}] as readers) from {views}.settings where {chosen}",
        **_readings(views, read_by),
    }


def declared(connection: duckdb.DuckDBPyConnection, sweeps: Sequence[str]) -> dict[str, bool]:
    """Return each attribute of the sweeps, and whether all of them declare it with the same groups and targets."""
    query = f"""
        select attribute, count(*) = {len(sweeps)} and count(distinct groups) = 1 from (
            select sweep, attribute, list(("group", round(target, 6)) order by "group") as groups
            from {base(connection)}.targets where sweep in ({listed(sweeps)}) group by sweep, attribute
        ) group by attribute order by attribute"""
    return dict(connection.execute(query).fetchall())


def readers(
    connection: duckdb.DuckDBPyConnection, sweeps: Sequence[str], attributes: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return attribute -> sweep -> the classifier that reads it: one that all sweeps have, else each sweep's own."""
    views = base(connection)
    query = f"""
        select attribute, classifier, sweep, count(*) as n from {views}.labels join {views}.plan using (image_id)
        semi join {views}.readers using (sweep, classifier)
        where sweep in ({listed(sweeps)}) and attribute in ({listed(attributes)}) and error is null
        group by all order by n desc, classifier"""
    read: dict[str, dict[str, list[str]]] = {attribute: {} for attribute in attributes}
    for attribute, classifier, sweep, _ in connection.execute(query).fetchall():
        read[attribute].setdefault(classifier, []).append(sweep)
    chosen = {}
    for attribute, by_classifier in read.items():
        shared = [classifier for classifier, there in by_classifier.items() if len(there) == len(sweeps)]
        chosen[attribute] = {
            sweep: classifier
            for classifier in reversed(shared[:1] or by_classifier)
            for sweep in by_classifier[classifier]
        }
    return chosen


def _untold(views: str, chosen: dict[str, dict[str, str]]) -> str:
    """Return SQL of the readers of a group, under the name that they go by, where one of them cannot tell it."""
    cases = []
    for attribute, by_sweep in chosen.items():
        pairs = ", ".join(f"({literal(sweep)}, {literal(reader)})" for sweep, reader in by_sweep.items())
        told = (
            f'select "group" from (select *, unnest(unknown_to) as reader from {views}.targets '
            f"where attribute = {literal(attribute)}) where (sweep, reader) in ({pairs or '(null, null)'})"
        )
        cases.append(
            f'when attribute = {literal(attribute)} and "group" in ({told}) then [{literal(_together(by_sweep))}]'
        )
    return f"case {' '.join(cases)} end"


def _together(by_sweep: dict[str, str]) -> str:
    """Return the name that the readers of an attribute go by."""
    return ", ".join(dict.fromkeys(by_sweep.values()))


def _readings(views: str, chosen: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the queries of the labels of these readers, who go by one name where they are several."""
    parts = {"label_rows": [f"select * from {views}.label_rows where attribute = '_image'"], "labels": []}
    for attribute, by_sweep in chosen.items():
        together = literal(_together(by_sweep))
        earlier: list[str] = []
        for classifier in dict.fromkeys(by_sweep.values()):
            own = [sweep for sweep, reader in by_sweep.items() if reader == classifier]
            # An image of two sweeps is read once.
            images = f"select image_id from {views}.plan where sweep in ({listed(own)})"
            others = f"select image_id from {views}.plan where sweep in ({listed(earlier) or 'null'})"
            for view, queries in parts.items():
                queries.append(
                    f"select * replace ({together} as classifier) from {views}.{view} "
                    f"where attribute = {literal(attribute)} and classifier = {literal(classifier)} "
                    f"and image_id in ({images}) and image_id not in ({others})"
                )
            earlier += own
    return {view: " union all ".join(queries) for view, queries in parts.items() if queries}
