"""Hand tasks to actors as they become free; a loss costs the task, the place or the node that is to blame for it."""

import statistics
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError, TaskCancelledError

from fairsweep.engine.blame import ending
from fairsweep.engine.crew import Crew, Member
from fairsweep.engine.device import DeviceError
from fairsweep.engine.events import Answer, GivenUp, LeftOut, Refused
from fairsweep.engine.journal import Journal
from fairsweep.engine.places import DEATHS, Place
from fairsweep.engine.queues import Queues, Task, Work
from fairsweep.errors import ClusterError, reason

IN_FLIGHT = 2
_TICK_SECONDS = 1.0
# A task that takes so many times as long as others do is given to an idle actor too.
_STRAGGLES = 2.0
# So many tasks in a row whose actor raised the same error are no matter of their places, unless all are on one node
# of several.
_SAME_ERRORS = 3
_UNEXPLAINED = 0.5


class Dispatcher:
    """Give each actor up to IN_FLIGHT tasks, keep it on what it has loaded, and take its tasks back when it is lost.

    call: gives an actor a piece of work, and returns the reference to its Answer. streams: the work, lazily, by the
    key that must be loaded for it. Ray itself neither restarts an actor nor repeats a task: what is lost is known
    here, and with it what to blame. Writing a batch twice leaves the same file.
    """

    def __init__(self, crew: Crew, call: Callable[[Any, Work], ray.ObjectRef], streams: Mapping[str, Iterator[Work]]):
        self.crew, self._call = crew, call
        self._places = crew.places
        self._queues = Queues(streams)
        # Tasks that an actor died of: each runs alone, so that it is plain what the next one dies of. And tasks that
        # failed as a whole. Both go elsewhere, where there is another place.
        self._suspects: deque[Task] = deque()
        self._running: dict[ray.ObjectRef, Member] = {}
        self._refused: dict[str, str] = {}
        self._aside: Counter[str] = Counter()
        self._seconds: deque[float] = deque(maxlen=64)
        # The nodes of actors that raised since a task was done last, by error.
        self._errors: dict[str, list[str]] = defaultdict(list)
        # Why a key could not be loaded, as the last place said.
        self._hindrances: dict[str, str] = {}

    def run(self, tick: Callable[[], None]) -> Generator[Any, None, None]:
        """Yield the actors' reports, and GivenUp, Refused and LeftOut, as they come; call `tick` about once a second.

        Close it to give up what is still running; the crew stays. Raises ClusterError where nobody is left to work.
        """
        try:
            yield from self._events(tick)
        finally:
            for ref in self._running:
                with suppress(RayError):
                    ray.cancel(ref)
            self.crew.rest()

    def _events(self, tick: Callable[[], None]) -> Iterator[Any]:
        while self._waiting() or self._open():
            self.crew.recruit(self._waiting(self.crew.wanted) + len(self._open()))
            yield from self._hand_out()
            for ref in _done([*self._running, *self.crew.refs]):
                if ref in self._running:
                    yield from self._finished(ref)
                elif gone := self.crew.heard(ref):
                    yield from self._lost(*gone)
            for member, why in self.crew.look_around():
                yield from self._lost(member, why, blame=False)
            tick()

    def _waiting(self, most: int = 1) -> int:
        """Return how many tasks wait, counted up to `most`, or a few more."""
        return len(self._suspects) + self._queues.total(most)

    def _open(self) -> set[Task]:
        return {task for member in self._running.values() for task in member.tasks.values() if not task.done}

    def _hand_out(self) -> Iterator[Any]:
        """Give out what there is room for, the first tasks before the second ones."""
        members = self.crew.usable()
        holders = Counter(member.key for member in members)
        for member in members:
            if not member.tasks and not self._give(member, holders, members):
                self._copy(member)
        if self._waiting(len(members) + 1) > len(members):
            for member in members:
                if 0 < len(member.tasks) < IN_FLIGHT and not any(task.kills for task in member.tasks.values()):
                    self._give(member, holders, members)
        if members and not self._open():
            for key in {task.work.key for task in self._suspects} | self._queues.keys():
                if self._hopeless(key, [member.place for member in members]):
                    yield from self._refuse(key, self._hindrances.get(key, "no place is left that can load it"))

    def _give(self, member: Member, holders: Counter, members: Sequence[Member]) -> bool:
        """Give an actor the next task for it; tell whether there was one."""

        def fits(key: str) -> bool:
            return self._places.fits(member.place, key)

        suspect = None if member.tasks else self._suspect(member, members)
        if suspect:
            self._suspects.remove(suspect)
            self._send(member, suspect)
            return True
        key = self._queues.choose(member.key, holders, fits, len(self.crew.members) + 1)
        if key is None:
            return False
        holders[member.key] -= 1
        holders[key] += 1
        self._send(member, self._queues.next(key))
        return True

    def _suspect(self, member: Member, members: Sequence[Member]) -> Task | None:
        """Return the first suspect for an actor: each goes as far as can be from where something went wrong with it."""
        for task in self._suspects:
            places = [other.place for other in members if self._places.fits(other.place, task.work.key)]
            far = 0 if self.crew.coming else min((place.nearness(task.places) for place in places), default=0)
            if self._places.fits(member.place, task.work.key) and member.place.nearness(task.places) <= far:
                return task
        return None

    def _send(self, member: Member, task: Task) -> None:
        ref = self._call(member.actor, task.work)
        if not member.tasks:
            member.since = time.monotonic()
        member.key = task.work.key
        member.tasks[ref] = task
        self._running[ref] = member

    def _copy(self, idle: Member) -> None:
        """Give an idle actor what another one has not begun, or takes too long for: that one goes on beside it."""
        counts = Counter(task for member in self.crew.members for task in member.tasks.values())
        patience = _STRAGGLES * statistics.median(self._seconds) if self._seconds else float("inf")
        now = time.monotonic()
        for member in sorted(self.crew.members, key=lambda member: member.since):
            for place, (ref, task) in enumerate(member.tasks.items()):
                once = counts[task] == 1 and not task.done
                if once and (place or now - member.since > patience) and self._places.fits(idle.place, task.work.key):
                    if place:
                        ray.cancel(ref)
                        del member.tasks[ref], self._running[ref]
                    self._send(idle, task)
                    return

    def _finished(self, ref: ray.ObjectRef) -> Iterator[Any]:
        member = self._running[ref]
        try:
            answer: Answer = ray.get(ref)
        except (RayTaskError, TaskCancelledError) as error:
            if not member.tasks[ref].done:
                yield from self._raised(member, error)
                return
            # Recalled, because another actor was faster.
            answer = Answer()
        except RayError as error:
            yield from self._lost(member, error)
            return
        del self._running[ref]
        task, now = member.tasks.pop(ref), time.monotonic()
        spent, member.since = now - member.since, now
        if answer.unready:
            yield from self._unready(member, task, answer)
        elif task.done:
            return
        elif answer.refused:
            yield from self._refused_here(member, task, answer)
        elif answer.failed and self._doubted(member, task, answer.failed):
            return
        else:
            if not answer.failed:
                self._seconds.append(spent)
                self._errors.clear()
                self._places.worked(member.place, task.work.key)
            self._settle(task, None if answer.failed else member.place)
            self._recall(task)
            yield answer.report

    def _recall(self, task: Task) -> None:
        for member in self.crew.members:
            for ref in [ref for ref, other in member.tasks.items() if other is task]:
                ray.cancel(ref)

    def _settle(self, task: Task, where: Place | None = None) -> None:
        """Take a task for done, well done at a place: then one where it failed as a whole is to blame."""
        task.done = True
        if task.doubt:
            place, why = task.doubt
            outdone = where is not None and where.nearness([place]) < 2
            self._places.settle(place, task, why if outdone else "")

    # What goes wrong

    def _doubted(self, member: Member, task: Task, why: str) -> bool:
        """Let another place try what failed at one as a whole, once, where there is another; tell whether one does."""
        others = [other.place for other in self.crew.usable() if self._places.fits(other.place, task.work.key)]
        alone = all(place.nearness([member.place]) == 2 for place in others)
        if task.doubt or (alone and not self.crew.coming):
            return False
        task.doubt = member.place, why
        task.places.append(member.place)
        self._places.doubt(member.place, task)
        if task not in self._open():
            self._suspects.append(task)
        return True

    def _refused_here(self, member: Member, task: Task, answer: Answer) -> Iterator[Any]:
        """Believe one node that a model itself is at fault only where no other is there: its files may lie on each."""
        key, why = task.work.key, answer.refused or ""
        news = self._places.fits(member.place, key)
        self._places.unready(key, member.place, own_fault=True)
        places = [member.place, *(other.place for other in self.crew.usable())]
        if key not in self._refused and self._hopeless(key, places):
            yield from self._refuse(key, why, [task])
            return
        self._hindrances[key] = why
        if news:
            Journal(Path(member.place.log)).keep(answer.traceback)
            self._places.loss(member.place, why)
        yield from self._back([task])

    def _raised(self, member: Member, error: RayError) -> Iterator[Any]:
        """Replace an actor whose device is dead, or that met an error it has no answer to."""
        cause = getattr(error, "cause", None) or error
        if not isinstance(cause, DeviceError):
            nodes = self._errors[reason(cause)]
            nodes.append(member.place.node)
            there = {other.place.node for other in self.crew.usable()} | set(nodes)
            enough = _SAME_ERRORS if self.crew.coming else min(_SAME_ERRORS, len(there))
            if len(nodes) >= _SAME_ERRORS and len(set(nodes)) >= enough:
                raise ClusterError(f"an actor failed: {reason(cause)}")
        yield from self._lost(member, error, str(cause) if isinstance(cause, DeviceError) else reason(cause))

    def _unready(self, member: Member, task: Task, answer: Answer) -> Iterator[Any]:
        """Replace an actor that cannot load what others may, and let these have the task."""
        why = answer.unready or ""
        Journal(Path(member.place.log)).keep(answer.traceback)
        self._places.loss(member.place, why)
        yield from self._take_back(member, [task])
        yield from self._could_not_load(task.work.key, member.place, why)

    def _could_not_load(self, key: str, place: Place, why: str) -> Iterator[Any]:
        self._places.unready(key, place)
        self._hindrances[key] = f"{why} ({place.device})"
        if self._hopeless(key, [place, *(member.place for member in self.crew.usable())]):
            yield from self._refuse(key, self._hindrances[key])

    def _hopeless(self, key: str, places: Sequence[Place]) -> bool:
        # What was loaded once waits for who is gone; what never was, for who is about to come.
        more = self.crew.expecting if self._places.usable(key) else self.crew.coming
        return self._places.hopeless(key, places, more)

    def _lost(self, member: Member, error: RayError | str, why: str = "", blame: bool = True) -> Iterator[Any]:
        """Find out what is to blame for the end of an actor, and let others have what it was given."""
        place, journal = member.place, Journal(Path(member.place.log))
        if self.crew.node_lost(place):
            why, blame = "its node is gone", False
        why = why or (error if isinstance(error, str) else ending(error))
        loading = journal.loading(place.process) if blame else ""
        why += f" while it loaded {loading}" if loading else ""
        journal.keep(str(error))
        self._places.loss(place, why)
        blame = blame and not loading
        if blame:
            self._places.died(place, [task.origin for task in member.tasks.values() if not task.done])
        # Of a node that Ray has not yet given up nothing is known but that its actor cannot be reached.
        weight = _UNEXPLAINED if isinstance(error, ActorUnavailableError) else 1.0
        yield from self._take_back(member, blame=f"{why}, {place.device}" if blame else "", weight=weight)
        if loading in self._queues:
            yield from self._could_not_load(loading, place, why)
        elif loading:
            self._aside[loading] += 1
            if self._aside[loading] >= DEATHS:
                yield LeftOut(loading, f"{why}, {self._aside[loading]} times ({place.device})")

    def _take_back(
        self, member: Member, also: Sequence[Task] = (), blame: str = "", weight: float = 1.0
    ) -> Iterator[Any]:
        """Take an actor out of service, and back what it was given."""
        self.crew.dismiss(member)
        for ref in member.tasks:
            del self._running[ref]
        elsewhere = self._open()
        tasks = [task for task in (*also, *member.tasks.values()) if not task.done and task not in elsewhere]
        if blame:
            for task in tasks:
                task.kills += weight
                task.places.append(member.place)
        yield from self._back(tasks, blame)

    def _back(self, tasks: Sequence[Task], blame: str = "") -> Iterator[Any]:
        """Let tasks wait again, unless they are to blame for what has happened to them."""
        elsewhere = self._open()
        for task in tasks:
            if task in elsewhere:
                continue
            if task.work.key in self._refused:
                yield from self._refuse(task.work.key, self._refused[task.work.key], [task])
            elif task.kills >= DEATHS:
                yield from self._condemn(task, blame)
            elif task.places:
                self._suspects.append(task)
            else:
                self._queues.back(task)

    def _condemn(self, task: Task, why: str) -> Iterator[Any]:
        """Try the parts of a task that killed twice one by one; give up the one that is left."""
        self._settle(task)
        parts = task.work.split()
        if len(parts) > 1:
            self._suspects += [Task(part, DEATHS - 1, task.origin, places=list(task.places)) for part in parts]
            return
        self._places.acquit(task.origin)
        yield GivenUp(task.work, f"it ends the process that works on it: {why}")

    def _refuse(self, key: str, why: str, tasks: Sequence[Task] = ()) -> Iterator[Any]:
        self._refused.setdefault(key, why)
        tasks = [*tasks, *(task for task in self._suspects if task.work.key == key)]
        self._suspects = deque(task for task in self._suspects if task.work.key != key)
        for task in tasks:
            self._settle(task)
        yield Refused(key, why, chain((task.work for task in tasks), self._queues.drain(key)))


def _done(refs: list[ray.ObjectRef]) -> list[ray.ObjectRef]:
    """Return all that is done by now, or what is done first within a second."""
    if not refs:
        time.sleep(_TICK_SECONDS)
        return []
    done, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
    return done or ray.wait(refs, num_returns=1, timeout=_TICK_SECONDS)[0]
