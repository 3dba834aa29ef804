"""Rows on a terminal: as a table, as records where that is too wide, as CSV, as JSON."""

import csv
import io
import json
from decimal import Decimal
from enum import StrEnum

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairsweep.terminal.console import console, shown

_GAP = 2


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
        text = buffer.getvalue()
        # What another program reads is left as it is.
        typer.echo(shown(text) if console().is_terminal else text, nl=False)
    elif format is Format.json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=_plain, indent=1))
    else:
        print_rows(columns, rows, console())


def print_rows(columns: list[str], rows: list[tuple], screen: Console) -> None:
    """Print rows as a table; as records, one column a line, where that is wider than the terminal.

    Where the output is no terminal every row is one line, whatever its width: what reads it sees each value whole.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not screen.is_terminal:
        cells = [[value.replace("\n", "\\n") for value in row] for row in cells]
    widths = [max(map(_width, column)) for column in zip(columns, *cells, strict=True)]
    width = sum(widths) + _GAP * max(0, len(columns) - 1)
    if screen.is_terminal and width > screen.width and rows:
        _records(columns, cells, screen)
    else:
        screen.print(_table(columns, rows, cells))


def _table(columns: list[str], rows: list[tuple], cells: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for index, column in enumerate(columns):
        numbers = rows and all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", no_wrap=True)
    for line in cells:
        table.add_row(*line)
    return table


def _records(columns: list[str], cells: list[list[str]], screen: Console) -> None:
    names = max(map(_width, columns))
    for index, line in enumerate(cells):
        if index:
            screen.print()
        record = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        record.add_column(style="bold", min_width=names, no_wrap=True)
        # A sentence goes on below itself.
        record.add_column(overflow="fold")
        for column, value in zip(columns, line, strict=True):
            record.add_row(column, Text(value))
        screen.print(record)


def _width(text: str) -> int:
    return max(map(Text, text.split("\n")), key=len).cell_len


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "" if value is None else shown(str(value))
