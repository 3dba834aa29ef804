"""Merge many small shards into few files, so that no reader sees a row twice or not at all.

A folder's manifest says which compacted file stands for which shards. It is replaced in one rename, and a reader
that lists the folder first and reads the manifest after is right at every moment: before the rename the shards count
and the compacted file does not; after it the other way round. The shards are removed a little later, for the
readers that have listed them and not opened them yet.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.store import Store
from fairsweep.store.schemas import FOLDERS
from fairsweep.store.store import COMPACTED, MANIFEST, read_manifest, whole_file

GRACE_SECONDS = 2.0
_ROWS = 1_000_000
# An image's labels lie together, so that a row group of this size has few enough image ids for a dictionary: DuckDB
# then reads and hashes each id once, not once per label.
_ROW_GROUP = 65_536
_FEWEST = 2


def compact(
    store: Store, announce: Callable[[], object], kind: str = "labels", grace: float = GRACE_SECONDS
) -> dict[str, int]:
    """Merge the shards of every folder of a kind; return for each folder how many files became one.

    announce: called once the merged files count and the shards are still there, to rewrite what names files.
    The caller holds the store's lock.
    """
    folders: dict[Path, list[Path]] = {}
    for path in store.readable(kind):
        folders.setdefault(path.parent, []).append(path)
    merged = {}
    for folder, paths in folders.items():
        small = [path for path in paths if pq.read_metadata(path).num_rows < _ROWS // 2]
        if len(small) >= _FEWEST:
            _merge(folder, small, FOLDERS[kind])
            merged[str(folder.relative_to(store.root))] = len(small)
    if merged:
        announce()
        time.sleep(grace)
    # What no reader counts any more: the shards just merged, and what a compaction cut short left behind.
    current = set(store.readable(kind))
    for folder in folders:
        for path in set(folder.glob("*.parquet")) - current:
            path.unlink()
    return merged


def _merge(folder: Path, paths: list[Path], schema) -> None:
    groups: list[list[Path]] = [[]]
    rows = 0
    for path in paths:
        count = pq.read_metadata(path).num_rows
        if rows + count > _ROWS and groups[-1]:
            groups.append([])
            rows = 0
        groups[-1].append(path)
        rows += count
    # Names of files that an earlier compaction removed are forgotten only now, long after any reader listed them.
    known = {path.name for path in folder.iterdir()}
    manifest = {
        name: [shard for shard in shards if shard in known]
        for name, shards in read_manifest(folder).items()
        if name in known
    }
    for group in groups:
        key = hashlib.blake2b("\n".join(path.name for path in group).encode(), digest_size=12).hexdigest()
        name = f"{COMPACTED}{key}.parquet"
        with whole_file(folder / name) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for table in _row_groups(group, schema):
                writer.write_table(table)
        manifest[name] = [path.name for path in group]
    with whole_file(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest), encoding="utf-8")


def _row_groups(paths: list[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of the files in order, in tables of one row group each."""
    held, rows = [], 0
    for path in paths:
        held.append(pq.read_table(path, partitioning=None).select(schema.names).cast(schema))
        rows += held[-1].num_rows
        if rows >= _ROW_GROUP:
            table = pa.concat_tables(held)
            whole = rows - rows % _ROW_GROUP
            yield from (table.slice(start, _ROW_GROUP) for start in range(0, whole, _ROW_GROUP))
            held, rows = [table.slice(whole)], rows - whole
    if rows:
        yield pa.concat_tables(held)
