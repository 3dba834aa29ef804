"""What lies in a store, read by pyarrow, boto3 and sqlite alone: by neither our listing nor our reading."""

import functools
import io
import json
import os
import sqlite3
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq


def listed(root: str) -> dict[str, int]:
    """Return every key with when it was written, hidden ones too."""
    if root.startswith("s3://"):
        bucket, _, prefix = root.removeprefix("s3://").partition("/")
        pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        items = [item for page in pages for item in page.get("Contents", ())]
        return {item["Key"].removeprefix(f"{prefix}/"): int(item["LastModified"].timestamp() * 1e9) for item in items}
    keys = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                keys[os.path.relpath(path, root)] = os.stat(path).st_mtime_ns
            except FileNotFoundError:
                continue
    return keys


def read(root: str, key: str) -> bytes:
    """Return what lies under a key."""
    if root.startswith("s3://"):
        bucket, _, prefix = root.removeprefix("s3://").partition("/")
        return _s3().get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read()
    return Path(root, key).read_bytes()


def rows(root: str, kind: str) -> pa.Table:
    """Return the rows of a kind that count, every page with its checksum.

    Two rules say which: what a manifest names was merged, and of two files of the same rows' hash the later one counts.
    """
    stamps = {key: stamp for key, stamp in listed(root).items() if key.startswith(f"{kind}/")}
    assert not [key for key in stamps if key.endswith((".tmp", ".damaged"))]
    merged = set()
    for key in stamps:
        folder, _, name = key.rpartition("/")
        if name == "_compacted.json":
            # In a bucket its first line says who wrote it.
            manifest = json.loads(read(root, key).decode().rpartition("\n")[2])
            merged |= {f"{folder}/{shard}" for shards in manifest.values() for shard in shards}
    counting = {}
    for key in sorted(stamps, key=lambda key: (stamps[key], key)):
        folder, _, name = key.rpartition("/")
        if key.endswith(".parquet") and key not in merged:
            # A shard's name begins with the hash of its rows' keys; that of a merged file stands for itself.
            counting[folder, name if name.startswith("compacted-") else name[:24]] = key
    parts = (io.BytesIO(read(root, key)) for key in counting.values())
    return pa.concat_tables(pq.read_table(part, page_checksum_verification=True) for part in parts)


def tracked(root: str) -> list[str]:
    """Return the state of every MLflow run in a store on a disk."""
    with sqlite3.connect(f"file:{root}/mlflow.db?mode=ro", uri=True) as connection:
        return [status for (status,) in connection.execute("select status from runs")]


def _s3():
    return _client(os.environ["AWS_ENDPOINT_URL"])


@functools.cache
def _client(endpoint: str):
    return boto3.client("s3", endpoint_url=endpoint)
