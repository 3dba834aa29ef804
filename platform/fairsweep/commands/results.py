"""The command that answers questions: sql."""

from typing import Annotated

import typer

from fairsweep.commands.options import DEFAULT_STORE, FormatOption, StoreOption
from fairsweep.terminal.tables import Format, show


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(sql)


def sql(
    query: Annotated[str, typer.Argument(help="DuckDB SQL over images, labels, plan and every metric.")],
    store: StoreOption = DEFAULT_STORE,
    format: FormatOption = Format.table,
) -> None:
    """Ask the store: SQL over the views images, labels, plan and every metric."""
    import duckdb

    from fairsweep.errors import FairsweepError
    from fairsweep.measure.catalogue import connect
    from fairsweep.store import Store

    with connect(Store(store)) as connection:
        try:
            result = connection.sql(query)
            columns, rows = (result.columns, result.fetchall()) if result is not None else ([], [])
        except duckdb.Error as error:
            raise FairsweepError(" ".join(str(error).split())) from None
    show(columns, rows, format)
