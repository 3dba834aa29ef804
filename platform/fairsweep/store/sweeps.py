"""Tell which sweeps a store holds, from its files alone."""

from pathlib import Path

from fairsweep.errors import StoreError
from fairsweep.store import Store
from fairsweep.store.names import unquoted


def newest_first(store: Store) -> list[str]:
    """Return the names of the store's sweeps, the one planned last first."""
    return [unquoted(path.stem) for path in sorted(store.readable("plan"), key=_planned, reverse=True)]


def choose(store: Store, name: str | None = None) -> str:
    """Return the sweep `name`, or the one planned last; raises StoreError for one that is not there."""
    store.check()
    names = newest_first(store)
    if not names:
        raise StoreError(f"{store.root} holds no sweep yet: start one with `fairsweep run SPEC`")
    if name is None:
        return names[0]
    if name not in names:
        raise StoreError(f"{store.root} holds no sweep {name!r}: choose one of {', '.join(sorted(names))}")
    return name


def _planned(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name
