"""Writers that are killed at random moments, on a disk and in a bucket: nothing is lost, doubled or torn."""

import io
import os
import random
import time
from multiprocessing import get_context
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.writer import BATCHES, png, work

IDS = sorted(image_id for batch in BATCHES for image_id in batch)
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["support.writer"])


def start(root: str, folder: Path):
    """Start a writer, and return its process once it has begun to work."""
    begun = folder / f"begun-{time.monotonic_ns()}"
    process = PROCESSES.Process(target=work, args=(root, begun))
    process.start()
    while not begun.exists() and process.is_alive():
        time.sleep(0.002)
    return process


def files(root: str) -> dict[str, bytes]:
    """Return the content of every Parquet file of images and labels, by neither our listing nor our reading."""
    if root.startswith("s3://"):
        bucket, _, prefix = root.removeprefix("s3://").partition("/")
        s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        read = {key.removeprefix(f"{prefix}/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    else:
        paths = [path for path in Path(root).rglob("*") if path.is_file()]
        read = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    assert not [key for key in read if key.endswith((".tmp", ".damaged"))]
    kinds = ("images/", "labels/")
    return {key: data for key, data in read.items() if key.endswith(".parquet") and key.startswith(kinds)}


def check(root: str) -> None:
    for kind in ("images/", "labels/"):
        parts = [data for key, data in files(root).items() if key.startswith(kind)]
        rows = pa.concat_tables(pq.read_table(io.BytesIO(data), page_checksum_verification=True) for data in parts)
        assert sorted(rows.column("image_id").to_pylist()) == IDS
        if kind == "images/":
            for row in rows.select(["image_id", "image"]).to_pylist():
                assert row["image"]["bytes"] == png(row["image_id"])["bytes"]


@pytest.mark.parametrize("kills", [6, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_whatever_is_killed_the_same_command_goes_on(place, kills, bucket, tmp_path):
    chance, killed, stores = random.Random(kills), 0, 0
    while killed < kills:
        stores += 1
        root = str(tmp_path / f"store {stores}") if place == "disk" else f"{bucket}/{stores}"
        while True:
            process = start(root, tmp_path)
            # A writer needs about a second for everything; what is cut short is most often in the middle.
            process.join(chance.uniform(0, 0.6) if killed < kills else None)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            killed += 1
        assert process.exitcode == 0
        check(root)
