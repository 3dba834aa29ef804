"""A writer that does what a run does to a store, without Ray: made to be killed at any moment, and started again."""

from pathlib import Path

from fairsweep.measure.catalogue import connect, write_catalogue
from fairsweep.store import Store
from fairsweep.store.compact import compact
from fairsweep.store.verify import sift

BATCHES = [tuple(f"{batch} {place}" for place in "abc") for batch in range(18)]


def work(root: str, begun: Path) -> None:
    """Write what the store lacks, merging every now and then; `begun` appears when the work begins."""
    store = Store(root)
    begun.touch()
    with store.lock():
        sift(store)
        store.write("plan", "killed", [{"image_id": i, "sweep": "killed"} for batch in BATCHES for i in batch])
        store.write_spec("killed", {"spec": {}})
        with connect(store) as sql:
            made = {row[0] for row in sql.execute("select image_id from images").fetchall()}
            labelled = {row[0] for row in sql.execute("select image_id from labels").fetchall()}
        for number, batch in enumerate(BATCHES):
            if missing := [i for i in batch if i not in made]:
                store.write_images([{"image_id": i, "model": "m", "setting": "s", "image": png(i)} for i in missing])
            if missing := [i for i in batch if i not in labelled]:
                store.write_labels("clip", [{"image_id": i, "attribute": "g", "label": "female"} for i in missing])
            if number % 6 == 5:
                compact(store, lambda: write_catalogue(store), grace=0)
        compact(store, lambda: write_catalogue(store), grace=0)
        write_catalogue(store)


def png(image_id: str) -> dict:
    return {"bytes": image_id.encode() * 1000, "path": None}
