"""Read the parts of a source once, on Ray: references, captions and embeddings, a file of the store for each part."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from fairsweep.engine import cluster
from fairsweep.engine.blame import own_fault
from fairsweep.engine.crew import Crew
from fairsweep.engine.dispatch import Dispatcher
from fairsweep.engine.events import Answer, GivenUp, Refused
from fairsweep.engine.places import Place
from fairsweep.engine.queues import Work
from fairsweep.errors import FairsweepError, reason
from fairsweep.sources import Part, Row, Source, SourceError, open_pictures, open_source
from fairsweep.spec import RunSpec
from fairsweep.spec.data import DataSpec
from fairsweep.spec.encoder import EncoderSpec
from fairsweep.store import Store
from fairsweep.store.files import opened
from fairsweep.store.schemas import DATA
from fairsweep.terminal.progress import RunProgress

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

    def split(self) -> list["IndexTask"]:
        """Return it as it is: a part is read in one go."""
        return [replace(self)]


@dataclass
class IndexReport:
    """What became of parts: rows written, of them damaged, and the first error."""

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


def open_data(data: DataSpec) -> Source:
    """Return the source that a spec names."""
    return open_source(data.source, data.caption, data.image, data.embedding, data.kind)


def index(data: DataSpec, encoder: EncoderSpec | None, run: RunSpec, store: Store, console: Console) -> Indexed:
    """Read every part that the store has no index of; the caller holds the store's lock and has joined a cluster.

    Raises FairsweepError where the encoder can be loaded nowhere.
    """
    parts = open_data(data).parts()
    tasks = [IndexTask(data, part, encoder) for part in parts]
    missing = [task for task in tasks if store.data_made_from(data.name, task.part.name) != task.made_from]
    store.keep_data(data.name, [part.name for part in parts])
    result = Indexed(len(missing), len(parts))
    if not missing:
        return result
    size = cluster.generator_size(run, len(missing))
    crew = Crew(
        lambda: cluster.start(IndexActor, size, str(store.root), size.threads),
        lambda: cluster.generator_size(run, len(missing)).actors,
    )
    dispatcher = Dispatcher(
        crew, lambda actor, task: actor.index.remote(task), {missing[0].key: cast(Iterator[Work], iter(missing))}
    )
    with (
        RunProgress(console, f"files of {data.name}", len(missing)) as progress,
        closing(dispatcher.run(lambda: progress.tick(crew.note()))) as events,
    ):
        for event in events:
            match event:
                case IndexReport():
                    result.rows += event.rows
                    result.damaged += event.damaged
                    result.errors += [event.error] if event.error else []
                    progress.add(1)
                case GivenUp(work, why):
                    result.errors.append(f"{cast(IndexTask, work).part.name}: {why}")
                    progress.add(0, 1)
                case Refused(_, why, _):
                    raise FairsweepError(why)
    return result


class IndexActor:
    """A Ray actor that reads parts, and embeds their pictures where the source has no embeddings."""

    def __init__(self, root: str, threads: int):
        self._store = Store(root)
        self._device, self._place, self._journal = cluster.settle(threads, self._store)
        self._compute = ThreadPoolExecutor(1, initializer=cluster.limit_threads, initargs=(threads,))
        self._clips: dict[str, object] = {}

    async def ready(self) -> Place:
        """Return where this actor sits; answers at once even while it reads."""
        return self._place

    async def index(self, task: IndexTask) -> Answer:
        """Read one part and write its index."""
        return await asyncio.get_running_loop().run_in_executor(self._compute, self._index, task)

    def _index(self, task: IndexTask) -> Answer:
        clip = None
        if task.encoder:
            try:
                clip = self._load(task.encoder)
            except Exception as error:
                why = str(error) if isinstance(error, FairsweepError) else reason(error)
                return Answer(refused=why) if own_fault(error) else Answer(unready=why)
        return Answer(write_index(task, self._store, clip))

    def _load(self, encoder: EncoderSpec):
        from fairsweep.classifiers.clip import Clip

        if encoder.name not in self._clips:
            self._journal.step(f"encoder {encoder.name}")
            self._clips = {encoder.name: Clip(encoder.model, encoder.pretrained, self._device.torch_device)}
            self._journal.step()
        return self._clips[encoder.name]


def write_index(task: IndexTask, store: Store, clip=None) -> IndexReport:
    """Read a part and write its rows in order, those that are damaged with their error; clip: who embeds pictures."""
    source = open_data(task.data)
    embed = clip is not None and not source.ready
    report = IndexReport()
    rows = source.rows(task.part, pictures=embed)
    with store.data_writer(task.data.name, task.part.name, task.made_from) as writer:
        while batch := list(islice(rows, _ROWS)):
            if embed:
                _embed(batch, clip)
            _check(batch, source.ready)
            writer.write_table(_table(batch))
            report.rows += len(batch)
            bad = [row.error for row in batch if row.error]
            report.damaged += len(bad)
            report.error = report.error or next(iter(bad), None)
    return report


def _embed(batch: Sequence[Row], clip) -> None:
    """Fill in the embeddings of a batch's pictures, or what is wrong with them."""
    held = {
        place: row.reference if row.picture is None else row.picture for place, row in enumerate(batch) if not row.error
    }
    readable, images = [], []
    for place, picture in open_pictures(held).items():
        if isinstance(picture, SourceError):
            batch[place].error = str(picture)
        else:
            readable.append(batch[place])
            images.append(picture)
    if readable:
        vectors = clip.embed_images(images).float().cpu().numpy()
        for row, vector in zip(readable, vectors, strict=True):
            row.embedding = vector


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
