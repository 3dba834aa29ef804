"""Compute every metric of a sweep once, for readers that ask each of them more than once."""

import duckdb

from fairsweep.measure import summary
from fairsweep.measure.metrics import Metric, list_metrics
from fairsweep.measure.sql import literal, rows, value

# The base views that say of which sweep a row is; all else follows from them.
_PER_SWEEP = ("plan", "targets", "settings")
# What has a row per image or seed is as long as the labels: asked anew where it is read, rather than kept.
_LONG = {"image", "seed"}


def materialise(connection: duckdb.DuckDBPyConnection, sweep: str, first: int) -> list[dict]:
    """Make the sweep's rows of `summary` and of every metric tables on this connection, in the views' place.

    What several metrics read is counted once for all of them. Return each metric's header with its number of rows
    (`count`) and the `first` of them (`rows`).
    """
    # With the database's name: a schema `main` is also where temporary tables and views lie.
    views = f'"{value(connection.execute("select current_database()"))}".main'
    own = f"where sweep = {literal(sweep)}"
    # Its training data are a sweep of their own, beside which `components` sets it.
    beside = f"{own} or sweep in (select data_sweep from {views}.matchings {own})"
    for name in _PER_SWEEP:
        connection.execute(f"create or replace temp view {name} as select * from {views}.{name} {beside}")
    parts = summary.in_order(connection)
    after = [part for part in parts if summary.reads_summary(connection, part.sql)]
    tables = [part.name for part in parts if part not in after and _create(connection, part) == "table"]
    query = f"select * from ({summary.query(connection, parts, tables)}) {own}"
    connection.execute(f"create or replace temp table summary as {query}")
    for part in after:
        _create(connection, part)
    metrics = []
    for metric in list_metrics():
        columns = [column for column, *_ in connection.execute(f'describe "{metric.name}"').fetchall()]
        if "sweep" not in columns:
            continue
        records = rows(connection.execute(f'select * exclude (sweep) from "{metric.name}" {own} limit {first}'))
        count = value(connection.execute(f'select count(*) from "{metric.name}" {own}'))
        metrics.append({**vars(metric), "rows": records, "count": count})
    return metrics


def _create(connection: duckdb.DuckDBPyConnection, part: Metric) -> str:
    """Make a metric or what metrics share a table, or a view where it is long; return which."""
    kind = "view" if _LONG & set(part.grain.split(", ")) else "table"
    connection.execute(f'create or replace temp {kind} "{part.name}" as {part.sql}')
    return kind
