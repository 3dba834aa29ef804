"""Time the hand-out of batches to many actors that only wait: how much of their time the dispatcher leaves unused."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from fairsweep.engine.cluster import connected, start
from fairsweep.engine.crew import Crew
from fairsweep.engine.dispatch import Dispatcher
from fairsweep.engine.events import Answer
from fairsweep.engine.places import Place
from fairsweep.engine.sizes import Size

# So many actors share a process: what is measured is the dispatcher, not the start of processes.
_ACTORS_PER_PROCESS = 64


def run(actors: int = 256, batches: int = 10, seconds: float = 1.0) -> dict[str, float]:
    """Return the actors' use of their time, and tasks per second, over `batches` of `seconds` for each of them."""
    with connected(None):
        share = Size(1, cpus=0, gpus=0)
        hosts = [start(_Host, share, calls=4 * _ACTORS_PER_PROCESS) for _ in range(-(-actors // _ACTORS_PER_PROCESS))]
        # Once without waiting, until all processes are there.
        _handed_out(hosts, actors, 1, 0.0)
        began = time.perf_counter()
        count = _handed_out(hosts, actors, batches, seconds)
        elapsed = time.perf_counter() - began
    return {
        "actors": actors,
        "tasks": count,
        "tasks_per_second": count / elapsed,
        "use_of_the_actors": batches * seconds / elapsed,
    }


def _handed_out(hosts: list, actors: int, batches: int, seconds: float) -> int:
    numbers = itertools.count()

    def begin() -> SimpleNamespace:
        number = next(numbers)
        host = hosts[number % len(hosts)]
        ready = SimpleNamespace(remote=partial(host.ready.remote, number))
        return SimpleNamespace(ready=ready, run=partial(host.run.remote, number))

    tasks: Iterator[Any] = (_Task(number, seconds) for number in range(actors * batches))
    dispatcher = Dispatcher(_Crew(begin, lambda: actors), lambda actor, task: actor.run(task), {"model": tasks})
    return sum(1 for _ in dispatcher.run(lambda: None))


@dataclass(frozen=True)
class _Task:
    number: int
    seconds: float
    key: str = "model"

    def split(self) -> list["_Task"]:
        return [self]


class _Host:
    """A process of actors that wait, each for one task at a time."""

    def __init__(self) -> None:
        self._busy: dict[int, asyncio.Lock] = {}

    async def ready(self, number: int) -> Place:
        return Place(f"actor {number}", "", 0, "")

    async def run(self, number: int, task: _Task) -> Answer:
        async with self._busy.setdefault(number, asyncio.Lock()):
            await asyncio.sleep(task.seconds)
        return Answer(task.number)


class _Crew(Crew):
    """Actors that are no processes of their own, and end with their cluster."""

    def dismiss(self, member: Any) -> None:
        raise RuntimeError(f"{member.place.device} was lost, and none of these can be")

    def rest(self) -> None:
        pass
