"""Tell which sweeps a store holds, from its files alone."""

from fairsweep.errors import StoreError
from fairsweep.store import Store, files
from fairsweep.store.names import unquoted


def newest_first(store: Store) -> list[str]:
    """Return the names of the store's sweeps, the one planned last first."""
    plans = [plan for folder in files.folders(store.place, "plan").values() for plan in folder.base]
    plans.sort(key=lambda plan: (plan.stamp, plan.name), reverse=True)
    return [unquoted(plan.name.removesuffix(".parquet")) for plan in plans]


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
