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

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairsweep.store import Store, files
from fairsweep.store.files import DamageError, Folder, opened
from fairsweep.store.names import MANIFEST, name_merged
from fairsweep.store.places import Entry, Place
from fairsweep.store.schemas import FOLDERS, MERGED_KEY, writing
from fairsweep.store.verify import DamagedEntryError, set_aside

# What a writer waits for; where readers need longer, the next compaction removes what they may still read.
_LONGEST_WAIT = 10.0


@dataclass(frozen=True)
class Limits:
    """What is merged: files below `small`, `fewest` of them or more, into files of at most `whole`; in rows or bytes.

    group: a row group's rows or bytes. key: the columns that tell one row from another.
    """

    rows: bool
    small: int
    whole: int
    fewest: int
    group: int
    key: tuple[str, ...]


LIMITS = {
    # An image's labels lie together, so that a row group of this size has few enough image ids for a dictionary: DuckDB
    # then reads and hashes each id once, not once per label.
    "labels": Limits(True, 500_000, 1_000_000, 2, 65_536, ("image_id", "attribute")),
    # A picture is read with its row group. Writing pictures again costs, so a few small files are left alone.
    "images": Limits(False, 2**25, 2**28, 16, 2**20, ("image_id",)),
}


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
        _merge(place, kind, key, folder, entries, lambda _, table: _without(table, table["image_id"], ids))


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
                    _merge(place, kind, key, folder, entries, partial(_counted, kind, left))
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
        if small and entry not in outdated and not _imported(entry) and _weight(place, entry, limits) < limits.small
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


def _weight(place: Place, entry: Entry, limits: Limits) -> int:
    if not limits.rows:
        return entry.size
    rows = files.parsed(entry.name).rows
    if rows is None:
        with opened(place, entry) as file:
            return pq.read_metadata(file).num_rows
    return rows


def _merge(
    place: Place,
    kind: str,
    key: str,
    folder: Folder,
    entries: list[Entry],
    left: Callable[[Entry, pa.Table], pa.Table],
) -> None:
    """Write what becomes of these files of a folder, and tell so. left: what of a file's rows is left."""
    there = {entry.name for entry in folder.all}
    manifest = {
        # A shard that is gone by now is known by whose rows it held.
        name: [shard if shard in there else files.parsed(shard).keys for shard in shards]
        for name, shards in folder.manifest.items()
    }
    # What was written again since counts as merged, too: else it would seem to come after the merged file.
    older: dict[str, list[str]] = {}
    for entry in folder.superseded:
        older.setdefault(files.parsed(entry.name).keys, []).append(entry.name)
    for group in _groups(place, entries, LIMITS[kind]):
        shards = [entry.name for entry in group]
        shards += [shard for entry in group for shard in manifest.pop(entry.name, ())]
        shards += [shard for entry in group for shard in older.get(files.parsed(entry.name).keys, ())]
        schema = FOLDERS[kind].with_metadata({**FOLDERS[kind].metadata, MERGED_KEY: json.dumps(shards)})
        tables, rows = _tables(place, kind, group, folder.later, left), 0
        with place.scratch(key) as temporary:
            with pq.ParquetWriter(temporary, schema, **writing(FOLDERS[kind])) as writer:
                for table in _row_groups(tables, LIMITS[kind]):
                    writer.write_table(table)
                    rows += table.num_rows
            name = name_merged(shards, rows, temporary.stat().st_size)
            place.adopt(temporary, f"{key}/{name}")
        manifest[name] = shards
    place.change(f"{key}/{MANIFEST}", lambda _: json.dumps(manifest).encode())


def _groups(place: Place, entries: list[Entry], limits: Limits) -> Iterator[list[Entry]]:
    """Yield the files that become one, each time as many as it has room for."""
    group: list[Entry] = []
    weight = 0
    for entry in entries:
        more = _weight(place, entry, limits)
        if group and weight + more > limits.whole:
            yield group
            group, weight = [], 0
        group.append(entry)
        weight += more
    yield group


def _tables(
    place: Place, kind: str, entries: list[Entry], later: list[Entry], left: Callable[[Entry, pa.Table], pa.Table]
) -> Iterator[pa.Table]:
    """Yield the files' rows in today's columns, those that are left and that no `later` file has again."""
    schema = FOLDERS[kind]
    again = []
    for entry in later:
        with opened(place, entry) as file:
            again.append(row_keys(pq.read_table(file, columns=[*LIMITS[kind].key, "error"]), kind))
    outdated = pa.chunked_array(again, pa.string())
    for entry in entries:
        try:
            with opened(place, entry) as file:
                held = pq.ParquetFile(file, page_checksum_verification=True)
                for group in range(held.num_row_groups):
                    table = held.read_row_group(group)
                    for field in schema:
                        if field.name not in table.column_names:
                            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
                    table = table.select(schema.names).cast(schema)
                    if len(outdated) and entry not in later:
                        table = _without(table, row_keys(table, kind), outdated)
                    yield left(entry, table)
        except DamageError as damage:
            raise DamagedEntryError(entry, damage) from None


def _counted(kind: str, left: Mapping[str, dict[str, int]], entry: Entry, table: pa.Table) -> pa.Table:
    """Return the rows of a file that count; left: by file, how often those that stand more than once still do."""
    counts = left.get(entry.name)
    if not counts:
        return table
    keys, chosen = row_keys(table, kind), np.ones(table.num_rows, bool)
    for row in np.flatnonzero(pc.is_in(keys, pa.array(counts, pa.string()))):
        key = keys[row].as_py()
        chosen[row] = counts[key] > 0
        counts[key] -= 1
    return table.filter(pa.array(chosen))


def _without(table: pa.Table, values: pa.Array | pa.ChunkedArray, left_out: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(values, left_out)))


def row_keys(table: pa.Table, kind: str) -> pa.Array:
    """Return what tells each row from the others; of one thing a failure and a success are two rows."""
    columns = [table[name].combine_chunks() for name in (*LIMITS[kind].key, "error")]
    failed = pc.if_else(pc.is_valid(columns.pop()), "failed", "")
    return pc.binary_join_element_wise(*columns, failed, "\0")


def _row_groups(tables: Iterator[pa.Table], limits: Limits) -> Iterator[pa.Table]:
    """Yield the rows in order, in tables of one row group each."""
    held, weight = [], 0
    for table in tables:
        held.append(table)
        weight += table.num_rows if limits.rows else table.nbytes
        if weight < limits.group:
            continue
        whole = pa.concat_tables(held)
        if not limits.rows:
            held, weight = [], 0
            yield whole
            continue
        end = len(whole) - len(whole) % limits.group
        yield from (whole.slice(start, limits.group) for start in range(0, end, limits.group))
        held, weight = [whole.slice(end)], len(whole) - end
    if any(map(len, held)):
        yield pa.concat_tables(held)
