"""Compute every metric of a sweep once, for readers that ask each of them more than once."""

import duckdb

from fairsweep.measure.metrics import list_metrics
from fairsweep.measure.sql import rows, value


def materialise(connection: duckdb.DuckDBPyConnection, sweep: str, first: int) -> list[dict]:
    """Make the sweep's rows of `summary` and of every metric tables on this connection, in the views' place.

    Return each metric's header with its number of rows (`count`) and the `first` of them (`rows`).
    """
    metrics = []
    connection.execute("create or replace temp table summary as select * from main.summary where sweep = ?", [sweep])
    for metric in list_metrics():
        if "sweep" not in connection.table(metric.name).columns:
            continue
        connection.execute(
            f'create or replace temp table "{metric.name}" as select * from main."{metric.name}" where sweep = ?',
            [sweep],
        )
        records = rows(connection.execute(f'select * exclude (sweep) from "{metric.name}" limit {first}'))
        count = value(connection.execute(f'select count(*) from "{metric.name}"'))
        metrics.append({**vars(metric), "rows": records, "count": count})
    return metrics
