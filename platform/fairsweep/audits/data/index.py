"""Read the parts of a source once, on Ray: references, captions and embeddings, a file of the store for each part."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fairsweep.engine.cluster import limit_threads
from fairsweep.sources import Part, Row, Source, open_pictures, open_source
from fairsweep.spec.data import DataSpec
from fairsweep.spec.encoder import EncoderSpec
from fairsweep.store import Store
from fairsweep.store.files import opened
from fairsweep.store.schemas import DATA

_ROWS = 256


@dataclass(frozen=True)
class IndexTask:
    """One part to read; encoder: who embeds its pictures, None where nobody need."""

    data: DataSpec
    part: Part
    encoder: EncoderSpec | None

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""
        return f"encoder {self.encoder.name}" if self.encoder else "captions"

    @property
    def made_from(self) -> str:
        """Return what an index file was made from: another where the part or the encoder is."""
        return f"{self.part.stamp} {self.encoder.model_dump_json() if self.encoder else ''}"

    def load(self, device: str):
        """Return the encoder that it needs, if any."""
        from fairsweep.classifiers.clip import Clip

        return self.encoder and Clip(self.encoder.model, self.encoder.pretrained, device)

    def report(self, loaded, store: Store) -> "IndexReport":
        """Read the part and write its index."""
        return write_index(self, store, loaded)

    def split(self) -> list["IndexTask"]:
        """Return it as it is: a part is read in one go."""
        return [replace(self)]


@dataclass
class IndexReport:
    """What became of a part of a source: rows written, of them damaged, and the first error."""

    source: str
    rows: int = 0
    damaged: int = 0
    error: str | None = None


@dataclass
class Indexed:
    """What a run of the index stage did. parts: how many were read now, of how many."""

    parts: int = 0
    of: int = 0
    rows: int = 0
    damaged: int = 0
    errors: list[str] = field(default_factory=list)

    def add(self, report: IndexReport) -> None:
        """Count one part."""
        self.rows += report.rows
        self.damaged += report.damaged
        self.errors += [report.error] if report.error else []


def open_data(data: DataSpec) -> Source:
    """Return the source that a spec names."""
    return open_source(data.source, data.caption, data.image, data.embedding, data.kind)


def unread(data: DataSpec, encoder: EncoderSpec | None, store: Store) -> tuple[Indexed, list[IndexTask]]:
    """Return a task for each part that the store has no index of, and what to count them in; drop what left the source.

    The caller holds the store's lock.
    """
    parts = open_data(data).parts()
    tasks = [IndexTask(data, part, encoder) for part in parts]
    there = store.data_made_from(data.name)
    missing = [task for task in tasks if there.get(task.part.name) != task.made_from]
    store.keep_data(data.name, [part.name for part in parts])
    return Indexed(len(missing), len(parts)), missing


def write_index(task: IndexTask, store: Store, clip=None) -> IndexReport:
    """Read a part and write its rows in order, those that are damaged with their error; clip: who embeds pictures."""
    source = open_data(task.data)
    reader = None if source.ready else clip
    report = IndexReport(task.data.name)
    rows = source.rows(task.part, pictures=reader is not None)
    with store.data_writer(task.data.name, task.part.name, task.made_from) as writer:
        batches = iter(lambda: list(islice(rows, _ROWS)), [])
        for batch in _embedded(reader, batches) if reader else batches:
            _check(batch, source.ready)
            writer.write_table(_table(batch))
            report.rows += len(batch)
            bad = [row.error for row in batch if row.error]
            report.damaged += len(bad)
            report.error = report.error or next(iter(bad), None)
    return report


def _embed(clip, batch: list[Row]) -> None:
    """Embed the pictures of rows; what is wrong with a picture is noted in its row."""
    held = {
        place: row.reference if row.picture is None else row.picture for place, row in enumerate(batch) if not row.error
    }
    pictures = open_pictures(held)
    images = {place: picture for place, picture in pictures.items() if isinstance(picture, Image.Image)}
    for place in pictures.keys() - images.keys():
        batch[place].error = str(pictures[place])
    if images:
        vectors = clip.embed_images(list(images.values())).float().cpu().numpy()
        for place, vector in zip(images, vectors, strict=True):
            batch[place].embedding = vector


def _embedded(clip, batches: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """Yield batches, embedded, in their order; the next is in work while one is in use.

    On a card one batch is prepared while the model has another. On CPUs each thread has a part of its own: operators
    that several threads share wait for the slowest core.
    """
    import torch

    parts = torch.get_num_threads() if clip.device == "cpu" else 1
    with ThreadPoolExecutor(parts if clip.device == "cpu" else 2, initializer=limit_threads, initargs=(1,)) as pool:
        coming: deque[tuple[list[Row], list[Future]]] = deque()
        for batch in batches:
            coming.append((batch, [pool.submit(_embed, clip, batch[part::parts]) for part in range(parts)]))
            if len(coming) > 2:
                yield _done(*coming.popleft())
        while coming:
            yield _done(*coming.popleft())


def _done(batch: list[Row], parts: list[Future]) -> list[Row]:
    for part in parts:
        part.result()
    return batch


def _check(batch: Sequence[Row], ready: bool) -> None:
    """Note ready embeddings that are none."""
    for row in batch:
        if ready and not row.error and (row.embedding is None or not np.isfinite(row.embedding).all()):
            row.error = "it has no embedding, or one that holds what is no number"
            row.embedding = None


def _table(batch: Sequence[Row]) -> pa.Table:
    columns = {
        "reference": [row.reference for row in batch],
        "caption": [row.caption for row in batch],
        "error": [row.error for row in batch],
        "embedding": [row.embedding for row in batch],
    }
    return pa.Table.from_pydict({name: columns[name] for name in DATA.names}, schema=DATA)


def blocks(store: Store, name: str, columns: Sequence[str], rows: int = 16_384) -> Iterator[pa.RecordBatch]:
    """Yield a source's index in its order, in record batches of some columns."""
    for key in store.data_keys(name):
        with opened(store.place, key) as file:
            yield from pq.ParquetFile(file).iter_batches(rows, columns=list(columns))
