"""Actors that do next to nothing, for tests of who is given what."""

import asyncio
import fcntl
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import ray

from fairsweep.engine.events import Answer
from fairsweep.engine.places import Place


@dataclass(frozen=True)
class Errand:
    """Sleep for some seconds; `deed` says what else happens: everywhere, or only on the node `on`."""

    key: str
    number: int
    seconds: float = 0.0
    deed: str = ""
    on: str = ""

    def split(self) -> list["Errand"]:
        return [self]


@dataclass(frozen=True)
class Desk:
    """A place that one runner at a time has, on a node that only bears a name; it is there so many seconds late."""

    name: str
    node: str
    late: float = 0.0


class Runner:
    """Run errands, and answer with their number, the actor's name and how many errands it held when each came.

    desks: where there are some, the first that is free is its place, as long as it lives.
    """

    def __init__(self, folder: str, name: str, problem: str | None = None, desks: Sequence[Desk] = ()):
        self._name, self._held = name, 0
        node, where, self._late = ray.get_runtime_context().get_node_id(), f"runner {name}", 0.0
        for desk in desks:
            taken = open(f"{folder}/{desk.node} {desk.name}.taken", "w")  # noqa: SIM115 (for the process's life)
            try:
                fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            self._taken, self._late, node, where = taken, desk.late, desk.node, f"{desk.name}, {desk.node}"
            break
        self._compute = ThreadPoolExecutor(1)
        self._place = Place(where, node, os.getpid(), f"{folder}/{name}.log", problem)

    async def ready(self) -> Place:
        await asyncio.sleep(self._late)
        return self._place

    async def run(self, errand: Errand) -> Answer:
        self._held += 1
        held = self._held
        deed, _, once = errand.deed.partition(" once ")
        if (once and Path(once).exists()) or errand.on not in ("", self._place.node):
            deed = ""
        if once:
            Path(once).touch()
        if deed == "hang":
            # In the actor's only thread: it answers nothing any more.
            time.sleep(3600)
        if deed == "die":
            os._exit(1)
        if deed == "raise":
            raise OSError("no space left on device")
        # As a batch in a thread of its own, which goes on when the call is cancelled.
        seconds = 3600 if deed == "stall" else errand.seconds
        await asyncio.get_running_loop().run_in_executor(self._compute, time.sleep, seconds)
        self._held -= 1
        if deed == "refuse":
            return Answer(refused="the folder does not exist")
        if deed == "unready":
            return Answer(unready="no space left on device")
        return Answer((errand.number, self._name, held), failed="no kernel image" if deed == "fail" else "")
