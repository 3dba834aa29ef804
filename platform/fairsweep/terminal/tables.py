"""Rows on a terminal: as a table, as CSV, as JSON; and the console that all commands print to."""

import csv
import io
import json
from decimal import Decimal
from enum import StrEnum

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


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


def console() -> Console:
    """Return the console that commands print to; wide enough for a table where there is no terminal."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(width=max(screen.width, 120), highlight=False)
