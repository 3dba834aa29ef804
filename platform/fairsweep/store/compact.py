"""Merge many small shards into few files, so that no reader sees a row twice or not at all.

A folder's manifest says which merged file stands for which shards. It is replaced whole, and a reader that lists the
folder first and reads the manifest after is right at every moment: before, the shards count and the merged file does
not; after, the other way round. The shards are removed a little later, for the readers that have listed them and not
opened them yet: on a disk after a moment, in a bucket by the next compaction after some minutes. A merged file tells in
its own metadata what it stands for, too, for when the manifest is lost.

A shard's name holds its content, so what is written again later never has a name that a manifest hides. Until the next
compaction drops the older rows from the merged file, readers leave them out: see files.py.

A batch that was taken for lost, made anew and written late all the same may have failed in other rows, and then has
other keys: what both takes made would stand there twice. Readers do not look for that; the writer does, and merges such
files without the rows that do not count.
"""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairsweep.store import Store, files
from fairsweep.store.files import Folder, opened
from fairsweep.store.merge import LIMITS, counted, merge, weight, without
from fairsweep.store.places import Entry, Place
from fairsweep.store.verify import DamagedEntryError, set_aside

# What a writer waits for; where readers need longer, the next compaction removes what they may still read.
_LONGEST_WAIT = 10.0


# Folder -> file -> row that stands more than once, as `row_keys` names it -> how often it counts there: once or never.
Twice = Mapping[str, Mapping[str, Mapping[str, int]]]
Finder = Callable[[Place, str, Mapping[str, Folder]], Twice]


def compact(
    store: Store,
    announce: Callable[[], object],
    grace: float | None = None,
    twice: Finder | None = None,
) -> dict[str, int]:
    """Merge the small shards of every folder of images and labels; return how many files became one, by folder.

    announce: called once the merged files count and the shards are still there, to rewrite what names files.
    grace: seconds until they are removed; silent: the place's own. The caller holds the store's lock.
    twice: finds the rows that several files hold, which are merged into one; silent: nobody looks.
    """
    place, grace = store.place, store.place.grace if grace is None else grace
    merged: dict[str, int] = {}
    for kind in LIMITS:
        merged |= _kind(place, kind, twice, small=True)
    if merged:
        announce()
        if grace <= _LONGEST_WAIT:
            time.sleep(grace)
    for kind in LIMITS:
        for folder in files.folders(place, kind).values():
            # What no reader counts any more: merged just now, written again, or left by a compaction cut short.
            entries = (*folder.merged, *folder.superseded, *folder.unannounced)
            if grace <= _LONGEST_WAIT or _age(folder) > grace:
                for entry in entries:
                    place.check_held()
                    place.delete(entry.key)
    return merged


def settle(store: Store, twice: Finder) -> None:
    """Merge the files that hold rows twice, and no others, so that each row counts once; the caller holds the lock."""
    for kind in LIMITS:
        _kind(store.place, kind, twice, small=False)


def _age(folder: Folder) -> float:
    """Return the seconds since anything of a folder was written."""
    return time.time() - max((entry.stamp for entry in folder.all), default=0) / 1e9


def drop(store: Store, kind: str, image_ids: Collection[str], kept: Collection[str] = ()) -> None:
    """Leave these images, or their labels, out of the store, but for the folders `kept`; the caller holds the lock.

    The files that hold such rows are merged into others without them; the next compaction removes them.
    """
    place, ids = store.place, pa.array(image_ids, pa.string())
    for key, folder in files.folders(place, kind).items():
        later, outdated = _again(folder)
        entries = [
            entry for entry in (*folder.base, *folder.later) if not _imported(entry) and _holds(place, entry, ids)
        ]
        if key in kept or not entries:
            continue
        if not {*entries}.isdisjoint((*later, *outdated)):
            # Which of two rows counts is told by the files that they stand in: these go together.
            entries = [*entries, *(entry for entry in (*later, *outdated) if entry not in entries)]
        entries.sort(key=lambda entry: (entry.stamp, entry.name))
        merge(place, kind, key, folder, entries, lambda _, table: without(table, table["image_id"], ids))


def _holds(place: Place, entry: Entry, ids: pa.Array) -> bool:
    with opened(place, entry) as file:
        return bool(pc.any(pc.is_in(pq.read_table(file, columns=["image_id"]).column(0), ids)).as_py())


def _kind(place: Place, kind: str, twice: Finder | None, small: bool) -> dict[str, int]:
    """Merge what holds rows twice, and what is `small`; return how many files that were, by folder.

    What turns out damaged is set aside.
    """
    merged: dict[str, int] = {}
    while True:
        # One listing for both: what is written meanwhile is merged by the next writer, who looks at it first.
        folders = files.folders(place, kind)
        try:
            rows = twice(place, kind, folders) if twice else {}
            for key, folder in folders.items():
                entries = _chosen(place, kind, folder, rows.get(key, {}), small)
                if entries:
                    left = {name: dict(counted) for name, counted in rows.get(key, {}).items()}
                    merge(place, kind, key, folder, entries, partial(counted, kind, left))
                    merged[key] = merged.get(key, 0) + len(entries)
            return merged
        except DamagedEntryError as bad:
            set_aside(place, bad.entry, bad.damage)


def _chosen(place: Place, kind: str, folder: Folder, twice: Collection[str], small: bool) -> list[Entry]:
    """Return the files to merge, in the order in which they were written.

    twice: names of files that must be; small: whether what is small is.
    """
    limits = LIMITS[kind]
    later, outdated = _again(folder)
    few = [
        entry
        for entry in folder.base
        if small and entry not in outdated and not _imported(entry) and weight(place, entry, limits) < limits.small
    ]
    chosen = {*outdated, *later, *(few if later or len(few) >= limits.fewest else ())}
    chosen |= {entry for entry in folder.base if entry.name in twice}
    return sorted(chosen, key=lambda entry: (entry.stamp, entry.name))


def _again(folder: Folder) -> tuple[list[Entry], list[Entry]]:
    """Return the files whose rows were written again after a merge, and the merged ones with the rows before."""
    later = [entry for entry in folder.later if not _imported(entry)]
    again = {files.parsed(entry.name).keys for entry in later}
    outdated = [
        entry
        for entry in folder.base
        if any(files.parsed(name).keys in again for name in folder.manifest.get(entry.name, ()))
    ]
    return later, outdated


def _imported(entry: Entry) -> bool:
    return files.parsed(entry.name).imported
