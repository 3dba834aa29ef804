"""Tell which sweeps a store holds, and what each one asked for."""

import json

import duckdb

from fairsweep.errors import StoreError
from fairsweep.store import Store


def newest_first(store: Store, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the store's sweeps, the one planned last first."""
    names = [row[0] for row in connection.execute("select distinct sweep from plan order by all").fetchall()]
    return sorted(names, key=lambda sweep: _planned(store, sweep), reverse=True)


def choose(store: Store, connection: duckdb.DuckDBPyConnection, name: str | None = None) -> str:
    """Return the sweep `name`, or the one planned last; raises StoreError for one that is not there."""
    names = newest_first(store, connection)
    if not names:
        raise StoreError(f"{store.root} holds no sweep yet: start one with `fairsweep run SPEC`")
    if name is None:
        return names[0]
    if name not in names:
        raise StoreError(f"{store.root} holds no sweep {name!r}: choose one of {', '.join(sorted(names))}")
    return name


def read_spec(store: Store, sweep: str) -> dict:
    """Return what <store>/specs/<sweep>.json holds; empty for results that fairsweep did not make."""
    path = store.root / "specs" / f"{sweep}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _planned(store: Store, sweep: str) -> float:
    path = store.root / "plan" / f"{sweep}.parquet"
    return path.stat().st_mtime if path.is_file() else 0
