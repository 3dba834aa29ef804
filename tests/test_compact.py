import threading
import time

import pyarrow.parquet as pq
import pytest

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from fairsweep.store.compact import compact
from fairsweep.store.names import MANIFEST

SHARDS, ROWS = 12, 5


def write_labels(store: Store, start: int, shards: int = SHARDS) -> None:
    for shard in range(start, start + shards):
        rows = [{"image_id": f"{shard}-{row}", "attribute": "gender", "label": "female"} for row in range(ROWS)]
        store.write_labels("clip", rows)


def counts(store: Store) -> tuple[int, int]:
    with connect(store) as connection:
        return connection.execute("select count(*), count(distinct image_id) from label_rows").fetchall()[0]


def files(store: Store) -> int:
    return len(list((store.root / "labels" / "classifier=clip").glob("*.parquet")))


def test_many_shards_become_one_and_nothing_changes(tmp_path):
    store = Store(tmp_path)
    write_labels(store, 0)
    assert compact(store, lambda: None, grace=0) == {"labels/classifier=clip": SHARDS}
    assert (files(store), counts(store)) == (1, (SHARDS * ROWS, SHARDS * ROWS))
    (merged,) = (store.root / "labels" / "classifier=clip").glob("*.parquet")
    assert pq.read_metadata(merged).num_row_groups == 1
    assert compact(store, lambda: None, grace=0) == {}
    write_labels(store, SHARDS)
    assert compact(store, lambda: None, grace=0) == {"labels/classifier=clip": SHARDS + 1}
    assert (files(store), counts(store)) == (1, (2 * SHARDS * ROWS, 2 * SHARDS * ROWS))


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_a_reader_sees_every_row_once_at_every_moment(place, bucket, tmp_path):
    root, grace = (tmp_path / "store", 1) if place == "disk" else (bucket, None)
    store = Store(root)
    write_labels(store, 0)
    seen, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(counts(Store(root)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with store.lock():
        for round_ in range(1, 4):
            before = len(seen)
            compact(store, lambda: None, grace=grace)
            write_labels(store, round_ * SHARDS)
            while len(seen) < before + 2:
                time.sleep(0.01)
    done.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 5
    assert {rows - distinct for rows, distinct in seen} == {0}


def test_a_compaction_cut_short_leaves_everything_right(tmp_path):
    store = Store(tmp_path)
    write_labels(store, 0)
    folder = store.root / "labels" / "classifier=clip"
    shards = {path: path.read_bytes() for path in folder.glob("*.parquet")}
    compact(store, lambda: None, grace=0)
    # As after a kill between the announcement and the removal of the shards.
    for path, content in shards.items():
        path.write_bytes(content)
    assert counts(store) == (SHARDS * ROWS, SHARDS * ROWS)
    compact(store, lambda: None, grace=0)
    assert (files(store), counts(store)) == (1, (SHARDS * ROWS, SHARDS * ROWS))
    # As after a kill before the announcement.
    merged = next(folder.glob("compacted-*.parquet")).read_bytes()
    (folder / MANIFEST).unlink()
    for path, content in shards.items():
        path.write_bytes(content)
    (folder / "compacted-0.parquet").write_bytes(merged)
    assert counts(store) == (SHARDS * ROWS, SHARDS * ROWS)
    compact(store, lambda: None, grace=0)
    assert (files(store), counts(store)) == (1, (SHARDS * ROWS, SHARDS * ROWS))


def test_many_small_files_of_pictures_become_few_with_small_row_groups(tmp_path):
    store = Store(tmp_path)
    picture = {"bytes": bytes(range(256)) * 400, "path": None}
    for shard in range(20):
        rows = [{"image_id": f"{shard}-{row}", "model": "m", "setting": "s", "image": picture} for row in range(4)]
        store.write_images(rows)
    assert compact(store, lambda: None, grace=0) == {"images/model=m/guidance=s": 20}
    (merged,) = (store.root / "images").rglob("*.parquet")
    held = pq.ParquetFile(merged)
    sizes = [held.metadata.row_group(number).total_byte_size for number in range(held.num_row_groups)]
    assert held.metadata.num_rows == 80 and max(sizes) < 2 * 2**20
    assert b"huggingface" in held.schema_arrow.metadata
    with connect(store) as connection:
        assert connection.execute("select count(*), count(distinct image_id) from pictures").fetchall() == [(80, 80)]


def test_a_few_small_files_of_pictures_are_left_alone(tmp_path):
    store = Store(tmp_path)
    for shard in range(15):
        store.write_images([{"image_id": f"{shard}", "model": "m", "setting": "s"}])
    assert compact(store, lambda: None, grace=0) == {}
