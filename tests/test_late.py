"""A batch that was taken for lost and is written late, beside the same batch made anew with other failures."""

import os
import signal
import time
from collections import Counter
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from fairsweep.measure import twice
from fairsweep.store import Store
from fairsweep.store.compact import compact, settle
from support.checks import ask, problems, wait_for

BATCH = ("one", "two", "three")
IMAGES = f"select image_id, device from image_rows where error is null and image_id in {BATCH} order by all"
LABELS = f"select image_id, attribute from label_rows where error is null and image_id in {BATCH} order by all"


def write(store: Store, take: str, *failed: str) -> None:
    """Write a batch as an actor does, with the labels of what was made."""
    errors = {image: "no memory" if image in failed else None for image in BATCH}
    rows = [{"image_id": i, "model": "m", "setting": "s", "device": take, "error": errors[i]} for i in BATCH]
    store.write_images(rows)
    pairs = [(image, attribute) for image in BATCH if not errors[image] for attribute in ("gender", "age")]
    store.write_labels("clip", [{"image_id": i, "attribute": name, "label": take} for i, name in pairs])


def act(store: Store, begun: Path, go: Path) -> None:
    """Be an actor that is stopped in the middle of its batch."""
    begun.touch()
    while not go.exists():
        time.sleep(0.01)
    write(store, "late", "one")


def merge(store: Store, **options) -> None:
    compact(store, lambda: None, grace=0, **options)


@pytest.fixture(params=["disk", "bucket"])
def store(request, tmp_path) -> Store:
    return Store(tmp_path / "store" if request.param == "disk" else request.getfixturevalue("bucket"))


def assert_once(store: Store) -> None:
    """Check that all that either take made is there once, its labels too, and that every file can be read."""
    images = [image for image, _ in ask(store.place, IMAGES)]
    assert sorted(images) == sorted(BATCH), Counter(images)
    labels = ask(store.place, LABELS)
    assert sorted(labels) == sorted((image, name) for image in BATCH for name in ("gender", "age")), Counter(labels)
    assert ask(store.place, "select count(*) from images where error is not null") == [(0,)]
    assert not problems(store)


@pytest.mark.parametrize(("merged", "mend"), [(False, settle), (True, merge)])
def test_what_both_takes_made_counts_once(store, tmp_path, merged, mend):
    begun, go = tmp_path / "begun", tmp_path / "go"
    with store.lock():
        actor = get_context("spawn").Process(target=act, args=(store, begun, go))
        actor.start()
        try:
            wait_for(begun.exists)
            os.kill(actor.pid, signal.SIGSTOP)
            go.touch()
            write(store, "anew", "two")
            if merged:
                # With others its pictures and labels become one file.
                for number in range(16):
                    store.write_images([{"image_id": f"other {number}", "model": "m", "setting": "s"}])
                    store.write_labels("clip", [{"image_id": f"other {number}", "attribute": "age", "label": "old"}])
                merge(store)
            before = len(ask(store.place, IMAGES))
            # Buckets tell times in seconds, and what is late is later than that.
            time.sleep(1)
            os.kill(actor.pid, signal.SIGCONT)
            actor.join()
        finally:
            actor.kill()
            actor.join()
        # The late batch made an image that both have, and one that only it has.
        assert before == 2 and len(ask(store.place, IMAGES)) == 4
        mend(store, twice=twice.find)
        assert_once(store)
        # What was there first counts: labels were made of it.
        assert ask(store.place, IMAGES) == [("one", "anew"), ("three", "anew"), ("two", "late")]


def test_rows_that_were_merged_twice_are_found_where_all_files_are_looked_through(store):
    with store.lock():
        write(store, "anew", "two")
        write(store, "late", "one")
        for number in range(16):
            store.write_images([{"image_id": f"other {number}", "model": "m", "setting": "s"}])
        merge(store)
        assert len(ask(store.place, IMAGES)) == 4 and len(ask(store.place, LABELS)) == 8
        merge(store, twice=twice.find)
        assert len(ask(store.place, IMAGES)) == 4
        merge(store, twice=partial(twice.find, whole=True))
        assert_once(store)
        assert ask(store.place, "select count(*) from images") == [(3 + 16,)]


def test_a_late_failure_hides_nothing_that_was_made(store):
    def label(image: str, seconds: float, error: str | None) -> None:
        row = {"image_id": image, "attribute": "age", "label": "old", "seconds": seconds, "error": error}
        store.write_labels("clip", [row])

    with store.lock():
        for image in BATCH:
            label(image, 1.0, "unreadable")
        merge(store)
        label("one", 1.0, None)
        # The same failure as the merged one, but for its seconds: a file that is written after the merge.
        label("one", 2.0, "unreadable")
        query = "select image_id, count(error) from labels group by all order by all"
        for _ in range(2):
            assert ask(store.place, query) == [("one", 0), ("three", 1), ("two", 1)]
            merge(store, twice=twice.find)


def test_a_damaged_file_is_set_aside_where_rows_are_looked_for(tmp_path):
    store = Store(tmp_path)
    with store.lock():
        write(store, "anew", "two")
        write(store, "late", "one")
        path = min(store.files()["labels"].paths)
        content = bytearray(path.read_bytes())
        content[4:200] = bytes(196)
        path.write_bytes(content)
        settle(store, twice.find)
        assert not path.exists() and not problems(store)
        images = [image for image, _ in ask(store.place, IMAGES)]
        assert sorted(images) == sorted(BATCH)
