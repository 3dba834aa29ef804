"""Put every view and macro on a DuckDB connection quickly, from a template that each machine builds once.

DuckDB binds a view when it is created, which takes seconds for all metrics together; copying a database that
already holds them takes milliseconds, since the views name each other and not the files.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import duckdb

from fairsweep import shipped
from fairsweep.measure import metrics, summary, views
from fairsweep.measure.metrics import Sources
from fairsweep.measure.sql import in_memory, literal, value
from fairsweep.store import Store
from fairsweep.store.files import Files
from fairsweep.store.names import CATALOGUE
from fairsweep.store.schemas import FOLDERS

READABLE_FROM = "v1.5.0"
# DuckDB 2 writes the views' "if" as a function's name, which DuckDB 1 does not know; and there log(0) is an error.
_MISSING_IN_DUCKDB_1 = (
    '"if"(condition, yes, no) as case when condition then yes else no end',
    "ln(x) as case when x = 0 then '-infinity'::double else system.main.ln(x) end",
    "log2(x) as case when x = 0 then '-infinity'::double else system.main.log2(x) end",
)


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with every base view and every metric over a store's files as they are now.

    Raises StoreError where there is no store.
    """
    store.check()
    follow(store)
    connection = in_memory()
    # The first is a quarter of what planning `summary` takes. The second ends in an internal error of DuckDB 2.0.0
    # where a table is made from some 20,000 prompts. Neither makes anything faster; a later DuckDB may not know them.
    with suppress(duckdb.Error):
        connection.execute("set disabled_optimizers = 'projection_pullup,common_subplan'")
    create(connection, store.files(), store.metrics())
    return connection


def write_catalogue(store: Store) -> Path | None:
    """Replace <store>/fairsweep.duckdb, which holds the same views for other tools, from DuckDB 1.5 on.

    In a bucket there is none: its files could be opened by nobody.
    """
    if store.catalogue is None:
        return None
    # Elsewhere, since DuckDB writes no database below a folder whose name has a question mark or a backslash.
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder, CATALOGUE)
        with duckdb.connect(str(fresh), config={"storage_compatibility_version": READABLE_FROM}) as connection:
            create(connection, store.files(), store.metrics())
            for macro in _MISSING_IN_DUCKDB_1:
                connection.execute(f"create macro {macro}")
            connection.execute(f"comment on view plan is {literal(store.root)}")
        store.place.put(CATALOGUE, fresh.read_bytes())
    return store.catalogue


def follow(store: Store) -> None:
    """Write the catalogue of a store again that was moved: its views name files. Nothing where that is not allowed."""
    with suppress(duckdb.Error, OSError):
        if store.catalogue and store.catalogue.exists():
            with duckdb.connect(str(store.catalogue), read_only=True) as connection:
                row = connection.execute("select comment from duckdb_views() where view_name = 'plan'").fetchone()
            if row and row[0] != str(store.root):
                write_catalogue(store)


def describe(*views: str, own: Sources = ()) -> list[list[tuple[str, str]]]:
    """Return the name and the type of each column of each view, whatever the store; own: metrics of one's own."""
    with duckdb.connect() as connection:
        create(connection, {kind: Files() for kind in FOLDERS}, own)
        return [[row[:2] for row in connection.execute(f'describe "{view}"').fetchall()] for view in views]


def create(connection: duckdb.DuckDBPyConnection, files: dict[str, Files], own: Sources = ()) -> None:
    """Create the base views over the files, and all metrics, on an empty connection."""
    try:
        template = _template(own)
    except OSError:
        views.create(connection, files)
        summary.create_views(connection, own)
        views.leave_out_pending(connection, files)
        return
    database = value(connection.execute("select current_database()"))
    connection.execute(f"attach {literal(template)} as template (read_only)")
    connection.execute(f'copy from database template to "{database}"')
    connection.execute("detach template")
    views.create(connection, files)
    views.leave_out_pending(connection, files)


def _template(own: Sources) -> Path:
    """Return the database with empty base views and all metrics, built when the metrics or DuckDB are new."""
    sources = [duckdb.__version__, *(str(schema) for schema in FOLDERS.values())]
    for source in [Path(__file__), Path(metrics.__file__), Path(summary.__file__), Path(views.__file__)]:
        sources.append(source.read_text(encoding="utf-8"))
    for path in (*sorted(shipped.path("metrics").rglob("*.sql")), *own):
        sources += [path.stem, str(path.read_bytes())]
    key = hashlib.blake2b("\0".join(sources).encode(), digest_size=16).hexdigest()
    cache = shipped.cache()
    template = cache / f"metrics-{key}.duckdb"
    if not template.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f".metrics-{key}.{os.getpid()}.tmp"
        fresh.unlink(missing_ok=True)
        try:
            with duckdb.connect(str(fresh)) as connection:
                views.create(connection, {kind: Files() for kind in FOLDERS})
                summary.create_views(connection, own)
            os.replace(fresh, template)
        finally:
            fresh.unlink(missing_ok=True)
    return template
