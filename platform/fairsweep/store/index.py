"""The index of a bucket: its whole files, listed once by who writes, so that readers need not list it again.

It counts exactly while the lease is released and has the index's number: then nobody has written since.
"""

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.store import lease
from fairsweep.store.names import shard_name
from fairsweep.store.objects import Objects
from fairsweep.store.places import Entry

KEY = ".index.parquet"
_NUMBER = b"fairsweep.lease"
_SCHEMA = pa.schema(
    {"key": pa.string(), "rows": pa.int64(), "size": pa.int64(), "stamp": pa.int64(), "version": pa.string()}
)


def write(objects: Objects, entries: list[Entry], number: int) -> None:
    """Write the index of these files, as the holder of this number leaves them."""
    shards = [shard_name(entry.name) for entry in entries]
    table = pa.table(
        {
            "key": [entry.key for entry in entries],
            "rows": [shard and shard.rows for shard in shards],
            "size": [entry.size for entry in entries],
            "stamp": [entry.stamp for entry in entries],
            "version": [entry.version for entry in entries],
        },
        schema=_SCHEMA.with_metadata({_NUMBER: str(number)}),
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    objects.put(KEY, sink.getvalue().to_pybytes())


def read(objects: Objects) -> tuple[int, list[Entry]] | None:
    """Return the number that the index was written under, and the files; None where there is none that can be read."""
    there = objects.get(KEY)
    try:
        table = pq.read_table(pa.BufferReader(there[0])) if there else None
        if table is None:
            return None
        columns = [table.column(name).to_pylist() for name in ("key", "size", "stamp", "version")]
        return int(table.schema.metadata[_NUMBER]), [Entry(*row) for row in zip(*columns, strict=True)]
    except (pa.ArrowException, KeyError, ValueError, TypeError):
        return None


def last_number(objects: Objects) -> int | None:
    """Return the number of the last writer, which an index must have to count; None while someone writes."""
    there = objects.get(lease.KEY)
    term = lease.term(there[0], objects.address) if there else None
    return term.number if term and term.released else None
