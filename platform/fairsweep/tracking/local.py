"""The store's own MLflow runs: a sqlite file that is there whole or not at all."""

import os
import sqlite3
from collections.abc import Callable

from fairsweep.store import Store
from fairsweep.store.names import TRACKING


def local_uri(store: Store) -> str:
    """Return the address of the store's own runs."""
    return f"sqlite:///{store.tracking}"


def prepare(store: Store, make: Callable[[str], object]) -> None:
    """Have `make` (an address) make the file of the store's own runs, where there is none that holds a run.

    A file without a run was being made when its process died, and MLflow would refuse it for ever.
    """
    if store.tracking.exists():
        if _holds_a_run(store):
            return
        os.replace(store.tracking, f"{store.tracking}.damaged")
    with store.place.whole(TRACKING) as fresh:
        fresh.unlink(missing_ok=True)
        make(f"sqlite:///{fresh}")


def _holds_a_run(store: Store) -> bool:
    try:
        with sqlite3.connect(store.tracking) as connection:
            return bool(connection.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.OperationalError as error:
        # A file that another process writes to right now is no broken one.
        return "no such table" not in str(error)
    except sqlite3.DatabaseError:
        return False
