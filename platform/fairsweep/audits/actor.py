"""What audits do on the cluster: an actor that loads an encoder for its tasks, and the hand-out of tasks to it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from rich.console import Console

from fairsweep.engine import cluster
from fairsweep.engine.blame import hindrance
from fairsweep.engine.crew import Crew
from fairsweep.engine.events import Answer, GivenUp, LeftOut, Refused
from fairsweep.engine.places import Place
from fairsweep.engine.watch import watched
from fairsweep.errors import FairsweepError
from fairsweep.spec import RunSpec
from fairsweep.store import Store


class AuditActor(ABC):
    """A Ray actor that keeps what it loaded last for a task's key, and computes in a thread of its own."""

    def __init__(self, store: Store, threads: int):
        self.store = store
        self.device, self._place, self._journal = cluster.settle(threads, self.store)
        self._compute = ThreadPoolExecutor(1, initializer=cluster.limit_threads, initargs=(threads,))
        self._loaded: tuple[str | None, Any] = None, None

    @abstractmethod
    def load(self, task: Any) -> Any:
        """Return what a task's key stands for."""

    @abstractmethod
    def report(self, task: Any, loaded: Any) -> Any:
        """Do a task and return its report."""

    async def ready(self) -> Place:
        """Return where this actor sits; answers at once even while it works."""
        return self._place

    async def work(self, task: Any) -> Answer:
        """Do one task."""
        return await asyncio.get_running_loop().run_in_executor(self._compute, self._answer, task)

    def _answer(self, task: Any) -> Answer:
        if task.key != self._loaded[0]:
            self._loaded = None, None
            self._journal.step(task.key)
            try:
                self._loaded = task.key, self.load(task)
            except Exception as error:
                return hindrance(task.key, error)
            finally:
                self._journal.step()
        return Answer(self.report(task, self._loaded[1]))


def _work(actor: Any, task: Any) -> Any:
    return actor.work.remote(task)


def reports(
    kind: type[AuditActor], tasks: Sequence[Any], run: RunSpec, store: Store, console: Console, what: str, *more: Any
) -> Iterator[Any]:
    """Yield the report of every task, or its GivenUp; the caller holds the store's lock and has joined a cluster.

    more: what the actors are made with, before the store and their threads. Raises FairsweepError for a key that can be
    loaded nowhere.
    """
    run = cluster.decided(run)

    def size() -> cluster.Size:
        return cluster.generator_size(run, len(tasks))

    crew = Crew(
        lambda: cluster.start(kind, size(), *more, store, size().threads),
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
