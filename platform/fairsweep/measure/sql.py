"""Small things that everyone who talks to DuckDB needs."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation


def in_memory(limit: str | None = None) -> DuckDBPyConnection:
    """Return an empty database; what does not fit into the memory that it may have is spilled.

    It goes where temporary files do: by default it would lie in the current folder, which may be anybody's.
    """
    spilled = Path(tempfile.gettempdir(), f"fairsweep-{os.getpid()}")
    connection = duckdb.connect(config={"temp_directory": str(spilled)})
    if limit:
        connection.execute(f"set memory_limit = '{limit}'; set preserve_insertion_order = false")
    return connection


def rows(result: DuckDBPyConnection | DuckDBPyRelation) -> list[dict[str, Any]]:
    """Return the rows of a result, each by column name."""
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def value(result: DuckDBPyConnection | DuckDBPyRelation) -> Any:
    """Return the first value of a result that has a row."""
    return result.fetchall()[0][0]


def complaint(error: duckdb.Error) -> str:
    """Return in one line what DuckDB found wrong, with its candidates, without the picture of the query below."""
    said = str(error).partition("\nLINE ")[0]
    return " ".join(said.split())


def literal(value: object) -> str:
    """Return a value's text as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"


def listed(paths: Iterable[Path | str]) -> str:
    """Return texts as the inside of an SQL list of strings."""
    return ", ".join(literal(path) for path in paths)
