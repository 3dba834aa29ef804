"""Make one file of several: their rows in row groups of one size, without those that others have again."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairsweep.store import files
from fairsweep.store.files import DamageError, Folder, opened
from fairsweep.store.names import MANIFEST, name_merged
from fairsweep.store.places import Entry, Place
from fairsweep.store.schemas import FOLDERS, MERGED_KEY, writing
from fairsweep.store.verify import DamagedEntryError


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


def weight(place: Place, entry: Entry, limits: Limits) -> int:
    """Return a file's rows or bytes."""
    if not limits.rows:
        return entry.size
    rows = files.parsed(entry.name).rows
    if rows is None:
        with opened(place, entry) as file:
            return pq.read_metadata(file).num_rows
    return rows


def merge(
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
    total = 0
    for entry in entries:
        more = weight(place, entry, limits)
        if group and total + more > limits.whole:
            yield group
            group, total = [], 0
        group.append(entry)
        total += more
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
                        table = without(table, row_keys(table, kind), outdated)
                    yield left(entry, table)
        except DamageError as damage:
            raise DamagedEntryError(entry, damage) from None


def counted(kind: str, left: Mapping[str, dict[str, int]], entry: Entry, table: pa.Table) -> pa.Table:
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


def without(table: pa.Table, values: pa.Array | pa.ChunkedArray, left_out: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows whose value is not left out."""
    return table.filter(pc.invert(pc.is_in(values, left_out)))


def row_keys(table: pa.Table, kind: str) -> pa.Array:
    """Return what tells each row from the others; of one thing a failure and a success are two rows."""
    columns = [table[name].combine_chunks() for name in (*LIMITS[kind].key, "error")]
    failed = pc.if_else(pc.is_valid(columns.pop()), "failed", "")
    return pc.binary_join_element_wise(*columns, failed, "\0")


def _row_groups(tables: Iterator[pa.Table], limits: Limits) -> Iterator[pa.Table]:
    """Yield the rows in order, in tables of one row group each."""
    held, total = [], 0
    for table in tables:
        held.append(table)
        total += table.num_rows if limits.rows else table.nbytes
        if total < limits.group:
            continue
        whole = pa.concat_tables(held)
        if not limits.rows:
            held, total = [], 0
            yield whole
            continue
        end = len(whole) - len(whole) % limits.group
        yield from (whole.slice(start, limits.group) for start in range(0, end, limits.group))
        held, total = [whole.slice(end)], len(whole) - end
    if any(map(len, held)):
        yield pa.concat_tables(held)
