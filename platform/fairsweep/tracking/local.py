"""The store's own MLflow runs: a sqlite file that is there whole or not at all."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from fairsweep.errors import StoreError
from fairsweep.store import Store
from fairsweep.store.names import TRACKING

NO_FILE = "MLflow's own file cannot lie in a bucket: name a server with --mlflow or MLFLOW_TRACKING_URI"


def local_uri(store: Store) -> str:
    """Return the address of the store's own runs; raises StoreError for a bucket, which can hold none."""
    if store.tracking is None:
        raise StoreError(NO_FILE)
    return f"sqlite:///{store.tracking}"


def prepare(store: Store, make: Callable[[str], object]) -> None:
    """Have `make` (an address) make the file of the store's own runs, where there is none that holds a run.

    A file without a run was being made when its process died, and MLflow would refuse it for ever.
    """
    path = store.tracking
    if path and path.exists():
        if _holds_a_run(path):
            return
        os.replace(path, f"{path}.damaged")
    with store.place.whole(TRACKING) as fresh:
        fresh.unlink(missing_ok=True)
        make(f"sqlite:///{fresh}")


def _holds_a_run(path: Path) -> bool:
    try:
        with sqlite3.connect(path) as connection:
            return bool(connection.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.OperationalError as error:
        # A file that another process writes to right now is no broken one.
        return "no such table" not in str(error)
    except sqlite3.DatabaseError:
        return False
