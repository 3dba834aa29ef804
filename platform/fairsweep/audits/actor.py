"""What audits do on the cluster: an actor that loads an encoder for its tasks, and the hand-out of tasks to it."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Protocol

from rich.console import Console

from fairsweep.engine import cluster, sizes
from fairsweep.engine.blame import hindrance
from fairsweep.engine.crew import Crew
from fairsweep.engine.events import Answer, GivenUp, LeftOut, Refused
from fairsweep.engine.places import Place
from fairsweep.engine.watch import watched
from fairsweep.errors import FairsweepError
from fairsweep.memory import loading
from fairsweep.spec import RunSpec
from fairsweep.store import Store


class AuditTask(Protocol):
    """What an actor of an audit is asked to do. Tasks of one class and one key need the same to be loaded."""

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""

    def load(self, device: str) -> Any:
        """Return what its key stands for."""

    def report(self, loaded: Any, store: Store) -> Any:
        """Do it and return its report."""

    def split(self) -> list[Any]:
        """Return its parts, for actors that it ended as a whole."""


class AuditActor:
    """A Ray actor that keeps what it loaded last, and computes in a thread of its own."""

    def __init__(self, store: Store, threads: int):
        self._store = store
        self._device, self._place, self._journal = cluster.settle(threads, store)
        self._compute = ThreadPoolExecutor(1, initializer=cluster.limit_threads, initargs=(threads,))
        self._held: tuple[type, str] | None = None
        self._loaded: Any = None

    async def ready(self) -> Place:
        """Return where this actor sits; answers at once even while it works."""
        return self._place

    async def work(self, task: AuditTask) -> Answer:
        """Do one task."""
        return await asyncio.get_running_loop().run_in_executor(self._compute, self._answer, task)

    def _answer(self, task: AuditTask) -> Answer:
        needed = type(task), task.key
        if needed != self._held:
            self._held = self._loaded = None
            self._journal.step(task.key)
            try:
                with loading():
                    self._loaded = task.load(self._device.torch_device)
            except Exception as error:
                return hindrance(task.key, error)
            finally:
                self._journal.step()
            self._held = needed
        return Answer(task.report(self._loaded, self._store))


def _work(actor: Any, task: AuditTask) -> Any:
    return actor.work.remote(task)


def reports(tasks: Sequence[AuditTask], run: RunSpec, store: Store, console: Console, what: str) -> Iterator[Any]:
    """Yield the report of every task, or its GivenUp; the caller holds the store's lock and has joined a cluster.

    One crew does all of them, of whatever class. Raises FairsweepError for a key that can be loaded nowhere.
    """
    if not tasks:
        return
    run = sizes.decided(run)

    def size() -> sizes.Size:
        return sizes.generator_size(run, len(tasks))

    crew = Crew(
        lambda: cluster.start(AuditActor, size(), store, size().threads),
        lambda: size().actors,
        lambda: size().needs(),
    )
    streams = {key: iter([task for task in tasks if task.key == key]) for key in dict.fromkeys(t.key for t in tasks)}
    with (
        closing(crew),
        watched(crew, _work, streams, store, console, what, len(tasks)) as (progress, events),
    ):
        for event in events:
            match event:
                case Refused(_, why, _):
                    raise FairsweepError(why)
                case LeftOut():
                    continue
                case GivenUp():
                    progress.add(0, 1)
                case _:
                    progress.add(1)
            yield event
