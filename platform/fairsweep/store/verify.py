"""Read every page of a store's files, and set those aside that turn out damaged: only who holds the lock does that."""

import logging
from collections.abc import Iterable

import pyarrow.parquet as pq

from fairsweep.store import Store, files
from fairsweep.store.files import DamageError, ForeignError, GoneError, opened
from fairsweep.store.names import DEPTHS
from fairsweep.store.places import Entry, Place
from fairsweep.store.schemas import FOLDERS

log = logging.getLogger(__name__)
DAMAGED = ".damaged"


def verify(store: Store) -> tuple[int, list[str]]:
    """Read every file whole; return how many there are, and the keys of those that were damaged and set aside.

    What they held counts as missing from then on: the same run makes it again. The caller holds the store's lock.
    """
    for key in store.place.misnamed(store.depths):
        log.warning("the index and a listing differ in %s: the index is written again", store.place.name(key))
    count, bad = 0, []
    for kind in FOLDERS:
        for entry in store.place.entries(kind, DEPTHS.get(kind, 0)):
            if not entry.name.endswith(".parquet"):
                continue
            count += 1
            try:
                read_whole(store.place, entry)
            except GoneError:
                continue
            except DamageError as damage:
                set_aside(store.place, entry, damage)
                bad.append(entry.key)
    return count, bad


def sift(store: Store) -> None:
    """Set aside the files whose size or footer tells that they are damaged. The caller holds the store's lock."""
    for kind in FOLDERS:
        for entry in store.place.entries(kind, DEPTHS.get(kind, 0)):
            if not entry.name.endswith(".parquet"):
                continue
            try:
                files.check(store.place, kind, entry)
            except (GoneError, ForeignError):
                continue
            except DamageError as damage:
                set_aside(store.place, entry, damage)


def read_whole(place: Place, entry: Entry) -> None:
    """Read every page of a file; raises DamageError where that fails."""
    size = files.parsed(entry.name).size
    if size is not None and size != entry.size:
        raise DamageError(f"it has {entry.size:,} bytes of {size:,}")
    with opened(place, entry) as file:
        held = pq.ParquetFile(file, page_checksum_verification=True)
        for group in range(held.num_row_groups):
            held.read_row_group(group)


class DamagedEntryError(Exception):
    """Name the file that turned out damaged while it was read."""

    def __init__(self, entry: Entry, damage: DamageError):
        super().__init__(entry, damage)
        self.entry, self.damage = entry, damage


def first_damaged(place: Place, entries: Iterable[Entry]) -> DamagedEntryError | None:
    """Read files whole, and return the first that is damaged."""
    for entry in entries:
        try:
            read_whole(place, entry)
        except GoneError:
            continue
        except DamageError as damage:
            return DamagedEntryError(entry, damage)
    return None


def set_aside(place: Place, entry: Entry, damage: DamageError) -> None:
    """Rename a file that was read and found damaged, so that what it held counts as missing."""
    place.move(entry.key, entry.key + DAMAGED)
    log.warning("set aside the damaged file %s (%s)", place.name(entry.key), damage)
