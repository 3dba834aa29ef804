"""The command that answers questions: sql."""

import csv
import io
import json
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer

from fairsweep.commands.sweep import DEFAULT_STORE, StoreOption, console


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(sql)


def sql(
    query: Annotated[str, typer.Argument(help="DuckDB SQL over images, labels, plan and every metric.")],
    store: StoreOption = DEFAULT_STORE,
    format: Annotated[Format, typer.Option("--format", help="How rows are printed.")] = Format.table,
) -> None:
    """Ask the store: SQL over the views images, labels, plan and every metric."""
    import duckdb

    from fairsweep.errors import FairsweepError
    from fairsweep.store import Store

    with Store(store).connect() as connection:
        try:
            result = connection.sql(query)
            columns, rows = (result.columns, result.fetchall()) if result else ([], [])
        except duckdb.Error as error:
            raise FairsweepError(" ".join(str(error).split())) from None
    show(columns, rows, format)


def show(columns: list[str], rows: list[tuple], format: Format) -> None:
    """Print rows as a table, CSV or JSON."""
    if format is Format.csv:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([columns, *rows])
        typer.echo(buffer.getvalue(), nl=False)
    elif format is Format.json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=_plain, indent=1))
    else:
        _table(columns, rows)


def _table(columns: list[str], rows: list[tuple]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(escape(column), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    console().print(table)


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
