"""Actors that do next to nothing, for tests of who is given what."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import ray

from fairsweep.engine.events import Answer
from fairsweep.engine.places import Place


@dataclass(frozen=True)
class Errand:
    """Sleep for some seconds; `deed` says what else happens."""

    key: str
    number: int
    seconds: float = 0.0
    deed: str = ""

    def split(self) -> list["Errand"]:
        return [self]


class Runner:
    """Run errands, and answer with their number, the actor's name and how many errands it held when each came."""

    def __init__(self, folder: str, name: str, problem: str | None = None):
        self._name, self._held = name, 0
        node = ray.get_runtime_context().get_node_id()
        self._place = Place(f"runner {name}", node, os.getpid(), f"{folder}/{name}.log", problem)

    async def ready(self) -> Place:
        return self._place

    async def run(self, errand: Errand) -> Answer:
        self._held += 1
        held = self._held
        if errand.deed.startswith("hang once "):
            hung = Path(errand.deed.removeprefix("hang once "))
            if not hung.exists():
                hung.touch()
                # In the actor's only thread: it answers nothing any more.
                time.sleep(3600)
        if errand.deed == "die":
            os._exit(1)
        if errand.deed == "raise":
            raise OSError("no space left on device")
        await asyncio.sleep(errand.seconds)
        self._held -= 1
        return Answer((errand.number, self._name, held))
