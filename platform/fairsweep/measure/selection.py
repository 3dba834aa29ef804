"""Take one SELECT from a user, and nothing that could write."""

import re

import duckdb

from fairsweep.errors import FairsweepError
from fairsweep.measure.sql import literal
from fairsweep.store import Store

ONE_SELECT = "the query must be one SELECT, which writes nothing (`fairsweep sql --write` takes any)"


def confine(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    """Let a connection open the store's files and no others, for good."""
    connection.execute(f"set allowed_directories = [{literal(store.place.reach)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def check_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise FairsweepError for anything but one SELECT, and duckdb.Error for what DuckDB cannot read."""
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise FairsweepError(ONE_SELECT)
    if re.search("with", query, re.IGNORECASE):
        # A WITH may hold an INSERT or a COPY, and is then a SELECT by its type. Below the top level DuckDB refuses it.
        inner = statements[0].query.strip().rstrip(";")
        try:
            connection.execute(f"explain from (\n{inner}\n)")
        except duckdb.BinderException as error:
            if "at the top level" in str(error):
                raise FairsweepError(ONE_SELECT) from None
            raise
