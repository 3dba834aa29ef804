"""Compute every metric of a sweep once, for readers that ask each of them more than once."""

from collections.abc import Sequence

import duckdb

from fairsweep.measure import beside, summary
from fairsweep.measure.metrics import Metric, Sources, list_metrics
from fairsweep.measure.sql import literal, rows, value

# What has a row per image is as long as the labels: asked anew where it is read, rather than kept.
_LONG = "image"


def materialise(
    connection: duckdb.DuckDBPyConnection, sweeps: Sequence[str], first: int, own: Sources = ()
) -> list[dict]:
    """Make the rows of `summary` and of every metric of a sweep, or of several as one, tables in the views' place.

    What several metrics read is counted once for all of them. Return each metric's header with its number of rows
    (`count`) and the `first` of them (`rows`). own: the files of metrics of one's own.
    """
    only = f"where sweep = {literal(beside.name(sweeps))}"
    for name, query in beside.scope(connection, sweeps).items():
        connection.execute(f"create or replace temp view {name} as {query}")
    parts = summary.in_order(connection, own)
    after = [part for part in parts if summary.reads_summary(connection, part.sql)]
    tables = [part.name for part in parts if part not in after and _create(connection, part) == "table"]
    query = f"select * from ({summary.query(connection, parts, tables)}) {only}"
    connection.execute(f"create or replace temp table summary as {query}")
    for part in after:
        _create(connection, part)
    metrics = []
    for metric in list_metrics(own):
        columns = [column for column, *_ in connection.execute(f'describe "{metric.name}"').fetchall()]
        if "sweep" not in columns:
            continue
        records = rows(connection.execute(f'select * exclude (sweep) from "{metric.name}" {only} limit {first}'))
        count = value(connection.execute(f'select count(*) from "{metric.name}" {only}'))
        metrics.append({**vars(metric), "rows": records, "count": count})
    return metrics


def _create(connection: duckdb.DuckDBPyConnection, part: Metric) -> str:
    """Make a metric or what metrics share a table, or a view where it is long; return which."""
    kind = "view" if _LONG in part.grain.split(", ") else "table"
    connection.execute(f'create or replace temp {kind} "{part.name}" as {part.sql}')
    return kind
