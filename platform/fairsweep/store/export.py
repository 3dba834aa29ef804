"""Copy a store into a folder, for programs that open files: only what counts, and what is there already stays."""

import os
from pathlib import Path

from fairsweep.errors import StoreError
from fairsweep.store import Store, files
from fairsweep.store.files import opened
from fairsweep.store.names import CLASSIFIERS, MANIFEST, METRICS, SPECS
from fairsweep.store.places import Entry
from fairsweep.store.schemas import FOLDERS

_PART = 2**24


def export(store: Store, folder: Path) -> tuple[Store, int]:
    """Copy the files of a store that count into a folder; return the store there, and how many were copied now.

    The same call again copies what is new. Raises StoreError where the folder is the store's own.
    """
    store.check()
    copy = Store(folder)
    if copy.root == store.root:
        raise StoreError(f"{folder} is the store itself: name another folder")
    count = 0
    with copy.lock():
        for kind in FOLDERS:
            for key, there in files.folders(store.place, kind).items():
                count += sum(_copied(store, copy, entry) for entry in (*there.base, *there.later))
                manifest = store.place.read_shared(f"{key}/{MANIFEST}")
                if manifest is not None:
                    copy.place.put(f"{key}/{MANIFEST}", manifest)
        for kind in (SPECS, CLASSIFIERS, METRICS):
            for entry in store.place.entries(kind, 0):
                copy.place.put(entry.key, store.place.read(entry.key) or b"")
    return copy, count


def _copied(store: Store, copy: Store, entry: Entry) -> bool:
    path = copy.place.path(entry.key)
    if path.is_file() and (path.stat().st_size, path.stat().st_mtime_ns) == (entry.size, entry.stamp):
        return False
    with opened(store.place, entry) as source, copy.place.whole(entry.key) as target:
        with open(target, "wb") as file:
            while part := source.read(_PART):
                file.write(part)
        # Of files that hold the same rows the later one counts, and of sweeps the one planned last comes first.
        os.utime(target, ns=(entry.stamp, entry.stamp))
    return True
