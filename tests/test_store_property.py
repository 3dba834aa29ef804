"""Whatever is written, fails, is retried, merged or damaged, in any order: the readable rows are a plain model's."""

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from obstore.store import MemoryStore

from fairsweep.measure import twice, views
from fairsweep.store import Store, cache
from fairsweep.store.bucket import Bucket
from fairsweep.store.compact import compact
from fairsweep.store.disk import Disk
from fairsweep.store.names import DEPTHS, MANIFEST
from fairsweep.store.objects import Objects
from fairsweep.store.places import Place
from fairsweep.store.verify import verify

# Batches of images: what is made in one call is always made in one call.
BATCHES = [tuple(f"{batch}{place}" for place in "abc") for batch in range(6)]
BATCH = st.sampled_from(BATCHES)
NUMBER = st.integers(0, 10**6)
# What tells a take from the others.
COLUMN = {"images": "device", "labels": "label"}
SQL = duckdb.connect()


class Model(RuleBasedStateMachine):
    """The store beside two dicts: image -> device, (image, attribute) -> label; "failed" where only a failure is."""

    def __init__(self):
        super().__init__()
        self.folder = TemporaryDirectory()
        self.store = Store(self._place())
        self.images: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.count = 0
        # Batches of which some rows failed alone: to write such a batch again may make rows that are there.
        self.mixed: set[tuple[str, tuple]] = set()

    def teardown(self):
        self.folder.cleanup()

    def _place(self) -> Place:
        return Disk(self.folder.name)

    def _replace(self, key: str, content: bytes) -> None:
        """Put content under a key behind the store's back."""
        Path(self.folder.name, key).write_bytes(content)

    def _next(self) -> str:
        # No two writes are alike, as no two takes are: their times differ.
        self.count += 1
        return f"take {self.count}"

    @rule(batch=BATCH)
    def make(self, batch):
        self._write("images", batch)

    @rule(batch=BATCH, kind=st.sampled_from(["images", "labels"]), failed=st.sets(st.integers(0, 2), max_size=2))
    def write_late(self, batch, kind, failed):
        """A batch was taken for lost, and is written whatever is there by now."""
        self._write(kind, batch, frozenset(batch[place] for place in failed))

    def _write(self, kind: str, batch: tuple, failed: frozenset[str] = frozenset()) -> None:
        """Write a batch, of which some rows fail; where both this take and another have a row, either may count."""
        take, model = self._next(), getattr(self, kind)
        errors = {image: "no memory" if image in failed else None for image in batch}
        with self.store.lock():
            if kind == "images":
                cell = {"model": "m", "setting": "s", "device": take}
                self.store.write_images([{"image_id": i, **cell, "error": errors[i]} for i in batch])
            else:
                rows = [{"image_id": i, "attribute": "g", "label": take, "error": errors[i]} for i in batch]
                self.store.write_labels("c", rows)
        before = dict(model)
        model.update({image: take for image in batch if image not in failed})
        for image in failed:
            model.setdefault(image, "failed")
        if failed:
            self.mixed.add((kind, batch))
        if (kind, batch) in self.mixed:
            self.merge()
            there = self._rows(kind, COLUMN[kind])
            for image in batch:
                if before.get(image, "failed") == there.get(image) != "failed":
                    model[image] = before[image]

    @rule(batch=BATCH)
    def make_what_is_missing(self, batch):
        missing = [i for i in batch if self.images.get(i, "failed") == "failed"]
        if missing == list(batch):
            self.make(batch)

    @rule(batch=BATCH)
    def fail(self, batch):
        rows = [
            {"image_id": i, "model": "m", "setting": "s", "device": self._next(), "error": "no memory"} for i in batch
        ]
        with self.store.lock():
            self.store.write_images(rows)
        for image in batch:
            self.images.setdefault(image, "failed")

    @rule(batch=BATCH)
    def label(self, batch):
        self._write("labels", batch)

    @rule(batch=BATCH)
    def fail_to_label(self, batch):
        self._next()
        rows = [{"image_id": i, "attribute": "g", "label": "failed", "error": "unreadable"} for i in batch]
        with self.store.lock():
            self.store.write_labels("c", rows)
        for image in batch:
            self.labels.setdefault(image, "failed")

    @rule()
    def merge(self):
        with self.store.lock():
            compact(self.store, lambda: None, grace=0, twice=twice.find)

    @rule(content=st.sampled_from([b"", b"{", b"\xff", b"[]"]))
    def damage_a_manifest(self, content):
        for kind, depth in DEPTHS.items():
            for entry in self.store.place.entries(kind, depth):
                if entry.name == MANIFEST:
                    self._replace(entry.key, content)

    @rule(number=NUMBER, inside=st.booleans())
    def damage_a_file_and_verify(self, number, inside):
        # Only what counts is damaged: what a damaged file hid is another question than what is lost with it.
        self.merge()
        kind = ("images", "labels")[number % 2]
        files = self.store.files()[kind]
        if not files.base:
            return
        path = files.base[number % len(files.base)].path
        key = self.store.place.key(path)
        read = "select distinct image_id from read_parquet(?, hive_partitioning = false)"
        lost = {row[0] for row in SQL.execute(read, [str(path)]).fetchall()}
        content = bytearray(self.store.place.read(key))
        if inside:
            content[4:40] = bytes(36)
        self._replace(key, bytes(content if inside else content[: len(content) // 2]))
        with self.store.lock():
            _, bad = verify(self.store)
        assert bad == [key]
        self._forget(kind, lost)

    def _forget(self, kind: str, lost: set[str]) -> None:
        """Drop the rows that are gone; a failure of the same image may stand in another file."""
        kept, there = getattr(self, kind), self._rows(kind, COLUMN[kind])
        for image in lost:
            if there.get(image) == "failed":
                kept[image] = "failed"
            elif image not in there:
                kept.pop(image, None)

    @invariant()
    def the_readable_rows_are_the_models(self):
        for kind, column in COLUMN.items():
            assert self._rows(kind, column) == getattr(self, kind)

    def _rows(self, view: str, column: str) -> dict[str, str]:
        views.create(SQL, self.store.files())
        shown = f"if(error is null, {column}, 'failed')"
        rows = SQL.execute(f"select image_id, {shown} from {view} order by all").fetchall()
        assert len({image for image, _ in rows}) == len(rows), "an image twice"
        return dict(rows)


class BucketModel(Model):
    """The same store in a bucket, one in this process's memory: the requests are those of any other."""

    def _place(self) -> Place:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(cache, "_home", lambda: Path(self.folder.name))
        return Bucket("memory", Objects("memory", MemoryStore()))

    def _replace(self, key: str, content: bytes) -> None:
        self.store.place._objects.put(key, content)

    def teardown(self):
        self.patch.undo()
        super().teardown()


TestStore = Model.TestCase
TestBucket = BucketModel.TestCase
TestStore.settings = TestBucket.settings = settings(
    max_examples=10,
    stateful_step_count=14,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
