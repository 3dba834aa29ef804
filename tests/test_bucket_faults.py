"""A bucket whose server is busy, late, cuts answers short, and denies what it has done: nothing lost, nothing twice."""

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep.errors import StoreError
from fairsweep.store import Store, objects
from fairsweep.store.compact import compact
from fairsweep.store.files import find
from support.checks import ask, problems
from support.faults import FAULTS, faulty

BATCHES, SIZE = 8, 4


def insist(call):
    """Return what a call returns, made again as the next run would where it says in one line that it failed."""
    for _ in range(5):
        try:
            return call()
        except StoreError as error:
            assert len(str(error).splitlines()) == 1
    raise AssertionError("five times in vain")


def held(store: Store, kind: str) -> pa.Table:
    """Return the rows that count of the files of a kind, read by pyarrow alone."""
    files = find(store.place, kind)
    assert not files.later
    keys = [store.place.key(file.path) for file in files.base]
    return pa.concat_tables(pq.read_table(io.BytesIO(store.place.read(key))) for key in keys)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_nothing_is_lost_or_doubled_whatever_the_server_answers(bucket, s3, monkeypatch, seed):
    monkeypatch.setattr(objects, "_TIMEOUT", 0.5)
    ids = [f"{batch} {place}" for batch in range(BATCHES) for place in range(SIZE)]
    with faulty(s3, share=0.3, seed=seed, seconds=1.0) as (address, proxy):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = Store(bucket)
        with store.lock():
            for batch in range(BATCHES):
                mine = ids[batch * SIZE : (batch + 1) * SIZE]
                rows = [{"image_id": i, "model": "m", "setting": "s", "image": {"bytes": b"png"}} for i in mine]
                insist(lambda rows=rows: store.write_images(rows))
                labels = [{"image_id": i, "attribute": "gender", "label": "female"} for i in mine]
                insist(lambda labels=labels: store.write_labels("clip", labels))
                if batch == 5:
                    insist(lambda: compact(store, lambda: None, grace=0))
        assert insist(lambda: ask(bucket, "select count(*), count(distinct image_id) from images")) == [(32, 32)]
        assert {fault for fault, method in proxy.counts if method == "PUT"} == set(FAULTS), "too few to tell"
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    assert not problems(Store(bucket))
    for kind in ("images", "labels"):
        rows = held(Store(bucket), kind)
        counted = duckdb.sql("select image_id, count(*) from rows group by all order by all").fetchall()
        assert counted == [(image_id, 1) for image_id in sorted(ids)]
    # The lease was let go, whatever was answered, or ends by itself: here its process is alive, so it was.
    with Store(bucket).lock():
        pass
