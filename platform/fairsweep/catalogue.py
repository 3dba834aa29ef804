"""Put every view and macro on a DuckDB connection quickly, from a template that each machine builds once.

DuckDB binds a view when it is created, which takes seconds for all metrics together; copying a database that
already holds them takes milliseconds, since the views name each other and not the files.
"""

import hashlib
import os
from pathlib import Path

import duckdb

from fairsweep import measure, views
from fairsweep.schemas import FOLDERS


def create(connection: duckdb.DuckDBPyConnection, files: dict[str, list[Path]]) -> None:
    """Create the base views over the files, and all metrics, on an empty connection."""
    try:
        template = _template()
    except OSError:
        views.create(connection, files)
        measure.create_views(connection)
        return
    (database,) = connection.execute("select current_database()").fetchone()
    connection.execute(f"attach '{str(template).replace(chr(39), chr(39) * 2)}' as template (read_only)")
    connection.execute(f'copy from database template to "{database}"')
    connection.execute("detach template")
    views.create(connection, files)


def _template() -> Path:
    """Return the database with empty base views and all metrics, built when the metrics or DuckDB are new."""
    folders = measure.metric_folders()
    said = [duckdb.__version__, *(str(schema) for schema in FOLDERS.values())]
    for source in [Path(__file__), Path(measure.__file__), Path(views.__file__)]:
        said.append(source.read_text(encoding="utf-8"))
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.sql")):
            said += [str(path.relative_to(folder)), path.read_text(encoding="utf-8")]
    key = hashlib.blake2b("\0".join(said).encode(), digest_size=16).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairsweep"
    template = cache / f"metrics-{key}.duckdb"
    if not template.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f".metrics-{key}.{os.getpid()}.tmp"
        fresh.unlink(missing_ok=True)
        try:
            with duckdb.connect(str(fresh)) as connection:
                views.create(connection, {kind: [] for kind in FOLDERS})
                measure.create_views(connection, folders)
            os.replace(fresh, template)
        finally:
            fresh.unlink(missing_ok=True)
    return template
