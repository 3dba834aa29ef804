"""What tests ask of a store."""

import pyarrow.parquet as pq

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store


def ask(root, query: str) -> list[tuple]:
    """Return the rows of a query over a store's views."""
    with connect(Store(root)) as connection:
        return connection.execute(query).fetchall()


def assert_exactly_once(root, images: int, labels_per_image: int = 3) -> None:
    """Check that every planned image and every label is there once, and that every file can be read."""
    made = "select count(*), count(distinct image_id) from image_files where error is null"
    assert ask(root, made) == [(images, images)]
    assert ask(root, "select count(*) from plan anti join pictures using (image_id)") == [(0,)]
    labels = "select count(*), count(distinct (image_id, classifier, attribute)) from label_rows where error is null"
    assert ask(root, labels) == [(images * labels_per_image, images * labels_per_image)]
    for path in Store(root).root.rglob("*.parquet"):
        pq.read_table(path, partitioning=None)
