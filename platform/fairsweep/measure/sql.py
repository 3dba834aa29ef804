"""Small things that everyone who talks to DuckDB needs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection, DuckDBPyRelation


def rows(result: DuckDBPyConnection | DuckDBPyRelation) -> list[dict[str, Any]]:
    """Return the rows of a result, each by column name."""
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def value(result: DuckDBPyConnection | DuckDBPyRelation) -> Any:
    """Return the first value of a result that has a row."""
    return result.fetchall()[0][0]


def literal(value: object) -> str:
    """Return a value's text as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"


def listed(paths: Iterable[Path | str]) -> str:
    """Return texts as the inside of an SQL list of strings."""
    return ", ".join(literal(path) for path in paths)
