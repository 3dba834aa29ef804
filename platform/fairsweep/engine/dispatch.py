"""Hand tasks to actors as they become free, and take a task back from an actor that is gone."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from fairsweep.errors import ClusterError, reason

IN_FLIGHT = 2
GONE_AFTER_SECONDS = 30.0
_ASK_EVERY_SECONDS = 5.0
_TICK_SECONDS = 1.0


class Dispatcher:
    """Give each actor up to IN_FLIGHT tasks from a lazy stream, whichever actor is there and free.

    Ray restarts an actor whose node is lost and repeats its tasks. Where nothing is left but the tasks of actors that
    do not answer, these tasks go to the others: writing a batch twice leaves the same file.
    """

    def __init__(self, actors: list, method: str, tasks: Iterator[Any]):
        self._method, self._tasks = method, tasks
        self._back: deque = deque()
        self._starting = {actor.ready.remote(): actor for actor in actors}
        self._actors: list = []
        self._running: dict[ray.ObjectRef, tuple[Any, Any]] = {}
        self._pings: dict[ray.ObjectRef, tuple[Any, float]] = {}
        self._asked = time.monotonic()
        self.places: list = []

    @property
    def actors(self) -> int:
        """Return how many actors have come so far."""
        return len(self._actors)

    def run(self, tick: Callable[[], None]) -> Generator[Any, None, None]:
        """Yield the actors' results as they come; call `tick` about once a second.

        Close it to give up what is still running.
        """
        try:
            yield from self._results(tick)
        finally:
            for ref in (*self._running, *self._starting, *self._pings):
                ray.cancel(ref)

    def _results(self, tick: Callable[[], None]) -> Iterator[Any]:
        while True:
            exhausted = not self._fill()
            if exhausted and not self._running:
                return
            refs = [*self._running, *self._starting, *self._pings]
            done, _ = ray.wait(refs, num_returns=len(refs), timeout=0) if refs else ([], [])
            if not done:
                done, _ = ray.wait(refs, num_returns=1, timeout=_TICK_SECONDS)
            for ref in done:
                if ref in self._starting:
                    self._arrived(ref)
                elif ref in self._pings:
                    self._pings.pop(ref)
                elif ref in self._running:
                    yield from self._finished(ref)
            tick()
            if exhausted:
                self._look_for_the_gone()

    def _fill(self) -> bool:
        """Hand out what there is room for; return whether any task is left to hand out."""
        while actor := self._free():
            task = self._back.popleft() if self._back else next(self._tasks, None)
            if task is None:
                return False
            self._running[getattr(actor, self._method).remote(*task)] = (actor, task)
        return True

    def _free(self):
        loads = dict.fromkeys(self._actors, 0)
        for actor, _ in self._running.values():
            if actor in loads:
                loads[actor] += 1
        actor = min(loads, key=loads.get, default=None)
        return actor if actor is not None and loads[actor] < IN_FLIGHT else None

    def _arrived(self, ref) -> None:
        actor = self._starting.pop(ref)
        try:
            self.places.append(ray.get(ref))
        except RayActorError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ClusterError(f"an actor cannot start: {lines[-1]}") from None
        self._actors.append(actor)

    def _finished(self, ref) -> Iterator[Any]:
        actor, task = self._running.pop(ref)
        try:
            yield ray.get(ref)
        except RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            raise ClusterError(f"an actor failed: {reason(cause)}") from None
        except RayActorError:
            # Only an actor that was taken out of service below ends like this.
            if actor in self._actors:
                raise
            self._back.append(task)

    def _look_for_the_gone(self) -> None:
        now = time.monotonic()
        if now - self._asked < _ASK_EVERY_SECONDS:
            return
        self._asked = now
        late = {actor for actor, since in self._pings.values() if now - since > GONE_AFTER_SECONDS}
        waiting = {actor for actor, _ in self._pings.values()}
        if late and len(self._actors) > len(late):
            for actor in late:
                self._actors.remove(actor)
                ray.kill(actor, no_restart=True)
                self._pings = {ref: ping for ref, ping in self._pings.items() if ping[0] is not actor}
            for ref, (actor, task) in list(self._running.items()):
                if actor in late:
                    del self._running[ref]
                    self._back.append(task)
        for actor in {actor for actor, _ in self._running.values()} - waiting:
            self._pings[actor.ready.remote()] = (actor, now)
