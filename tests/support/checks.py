"""What tests ask of a store, and what they wait for."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from fairsweep.store.names import DEPTHS
from fairsweep.store.schemas import FOLDERS


def ask(root, query: str) -> list[tuple]:
    """Return the rows of a query over a store's views."""
    with connect(Store(root)) as connection:
        return connection.execute(query).fetchall()


def assert_exactly_once(root, images: int, labels_per_image: int = 3) -> None:
    """Check that every planned image and every label is there once, and that every file can be read."""
    made = "select count(*), count(distinct image_id) from image_files where error is null"
    assert ask(root, made) == [(images, images)]
    assert ask(root, "select count(*) from planned anti join pictures using (image_id)") == [(0,)]
    labels = "select count(*), count(distinct (image_id, classifier, attribute)) from label_rows where error is null"
    assert ask(root, labels) == [(images * labels_per_image, images * labels_per_image)]
    assert not problems(Store(root))


def problems(store: Store) -> list[str]:
    """Return what is wrong with any file of a store, merged ones too, read by pyarrow alone."""
    found = []
    for kind in FOLDERS:
        for entry in store.place.entries(kind, DEPTHS.get(kind, 0)):
            if entry.name.endswith(".parquet"):
                try:
                    pq.read_table(io.BytesIO(store.place.read(entry.key) or b""), page_checksum_verification=True)
                except Exception as error:
                    found.append(f"{entry.key}: {error}")
    return found


def shards(root: Path) -> int:
    """Return how many files of images are in a store."""
    return len(list(root.glob("images/*/*/*.parquet")))


def wait_for(condition: Callable[[], object], seconds: float = 240) -> None:
    """Return as soon as a condition holds; fail where it does not in so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
