"""The actors of a stage: started as many as are wanted, asked whether they are there, named when they are not."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from fairsweep.engine.places import Place, Places
from fairsweep.engine.queues import Task
from fairsweep.errors import ClusterError

GONE_AFTER_SECONDS = 30.0
_ASK_EVERY_SECONDS = 5.0
_SILENT_AFTER_SECONDS = 10.0
# Who is not there after so long may wait for room that others keep.
_COMES_WITHIN_SECONDS = 60.0
# Before the next try after each round of starts that failed; who has nobody to work gives up after the last.
_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(eq=False)
class Member:
    """An actor at work: what it has loaded, and what it was given; it computes the first, since `since`."""

    actor: Any
    place: Place
    key: str | None = None
    tasks: dict[ray.ObjectRef, Task] = field(default_factory=dict)
    since: float = 0.0


class Crew:
    """Hold as many actors as are wanted. Those at places left alone stay, so that nobody else is put there.

    start: starts an actor, whose `ready` returns its Place. size: how many are wanted, asked again and again. needs:
    says what each one asks for, and what there is.
    """

    def __init__(self, start: Callable[[], Any], size: Callable[[], int], needs: Callable[[], str] = str):
        self._start, self._size, self._needs = start, size, needs
        self._most = 1
        # The most that were there at one time.
        self._together = 0
        self._node_lost = -math.inf
        self._starting: dict[ray.ObjectRef, tuple[Any, float]] = {}
        self._pings: dict[ray.ObjectRef, tuple[Member, float]] = {}
        self._failed_rounds, self._start_error, self._pause_until = 0, "", 0.0
        self._asked = time.monotonic()
        self.wanted = max(1, size())
        self.members: list[Member] = []
        self.arrived: list[Place] = []
        self.places = Places()

    @property
    def coming(self) -> bool:
        """Tell whether an actor is about to come, beside those that replace others: maybe to another place."""
        now = time.monotonic()
        soon = any(now - since < _COMES_WITHIN_SECONDS for _, since in self._starting.values())
        return soon and self._together < min(self.wanted, self._most)

    @property
    def expecting(self) -> bool:
        """Tell whether somebody may come, or come back: who waits for room, or a node that was lost a moment ago."""
        return bool(self._starting) or time.monotonic() - self._node_lost < _COMES_WITHIN_SECONDS

    @property
    def refs(self) -> list[ray.ObjectRef]:
        """Return what to wait for, and to hand to `heard`."""
        return [*self._starting, *self._pings]

    def usable(self) -> list[Member]:
        """Return the actors that get work: where all places are to be left alone, those that can work at all."""
        fine = [member for member in self.members if not self.places.left_alone(member.place)]
        sure = [member for member in fine if not self.places.doubtful(member.place)]
        return sure or fine or [member for member in self.members if not member.place.problem]

    def recruit(self, most: int) -> None:
        """Start the actors that are wanted, `most` at most, and not there; raises ClusterError where none can be."""
        self._most = most
        while self._short(most) and time.monotonic() >= self._pause_until:
            self._begin()
        if self._starting or any(not member.place.problem for member in self.members):
            return
        # Nobody works and nobody comes: unless there is more room by now, or the pause before the next try is on.
        self.wanted = max(1, self._size())
        problems = [member.place.problem for member in self.members] or [self._start_error]
        if self._failed_rounds > len(_PAUSES_SECONDS) or not (self._short(most) or self.expecting):
            raise ClusterError(f"no actor can be used: {problems[0]}")

    def _begin(self) -> None:
        actor = self._start()
        self._starting[actor.ready.remote()] = actor, time.monotonic()

    def _short(self, most: int) -> bool:
        # Who cannot work holds a place, and does none of the work that `most` counts.
        able = sum(not member.place.problem for member in self.members)
        starting = len(self._starting)
        return able + starting < most and len(self.members) + starting < self.wanted

    def heard(self, ref: ray.ObjectRef) -> tuple[Member, RayError] | None:
        """Take in that an actor has come or has answered; return one that turned out to be gone, and why."""
        if ref in self._starting:
            self._arrived(self._starting.pop(ref)[0], ref)
        elif ref in self._pings:
            member, _ = self._pings.pop(ref)
            try:
                ray.get(ref)
            except RayError as error:
                return member, error
        return None

    def _arrived(self, actor: Any, ref: ray.ObjectRef) -> None:
        try:
            place: Place = ray.get(ref)
        except RayError as error:
            self._failed((str(error).strip().splitlines() or [type(error).__name__])[-1])
            # One that only cannot be reached would hold its place.
            ray.kill(actor, no_restart=True)
            return
        self._failed_rounds = 0
        if place.problem and place.device not in {other.device for other in self.arrived}:
            self.places.loss(place, place.problem)
        self.arrived.append(place)
        self.members.append(Member(actor, place))
        self._together = max(self._together, len(self.members))

    def _failed(self, why: str) -> None:
        """Say why an actor could not start, once, and pause before the next try, longer each time."""
        if why != self._start_error:
            self.places.loss(None, f"an actor cannot start: {why}")
        self._start_error = why
        now = time.monotonic()
        # Those that were started together fail together.
        if now >= self._pause_until:
            self._pause_until = now + _PAUSES_SECONDS[min(self._failed_rounds, len(_PAUSES_SECONDS) - 1)]
            self._failed_rounds += 1

    def look_around(self) -> Iterator[tuple[Member, str]]:
        """Ask now and then who is there and how many actors there may be; yield those who have not answered in time."""
        now = time.monotonic()
        if now - self._asked < _ASK_EVERY_SECONDS:
            return
        self._asked = now
        self.wanted = max(1, self._size())
        nodes = ray.nodes()
        self.places.names |= {node["NodeID"]: node["NodeName"] for node in nodes}
        here = {place.node for place in self.arrived}
        for node in nodes:
            if node["NodeID"] in here and not node["Alive"]:
                self.places.node_lost(node["NodeID"])
        late = {member: now - since for member, since in self._pings.values() if now - since > GONE_AFTER_SECONDS}
        for member, seconds in late.items():
            if set(self.usable()) - late.keys():
                yield member, f"no answer for {seconds:.0f} s"
        for member in set(self.members) - {member for member, _ in self._pings.values()}:
            self._pings[member.actor.ready.remote()] = (member, now)

    def node_lost(self, place: Place) -> bool:
        """Tell whether the node of a place is gone, and count it."""
        gone = any(node["NodeID"] == place.node and not node["Alive"] for node in ray.nodes())
        if gone:
            self._node_lost = time.monotonic()
            self.places.node_lost(place.node)
        return gone

    def dismiss(self, member: Member) -> None:
        """Take an actor out of service."""
        self.members.remove(member)
        self._pings = {ref: ping for ref, ping in self._pings.items() if ping[0] is not member}
        ray.kill(member.actor, no_restart=True)

    def rest(self) -> None:
        """Hold those who have nothing to do ready for more work; what the others still do is given up, or done."""
        for member in [member for member in self.members if member.tasks]:
            self.dismiss(member)
        # Nobody hears an answer meanwhile.
        self._pings.clear()

    def close(self) -> None:
        """End all actors, and leave no log of a place where nothing went wrong."""
        for ref in self._pings:
            with suppress(RayError):
                ray.cancel(ref)
        for actor in (*(member.actor for member in self.members), *(actor for actor, _ in self._starting.values())):
            ray.kill(actor, no_restart=True)
        for log in {place.log for place in self.arrived} - self.places.logs:
            Path(log).unlink(missing_ok=True)

    def note(self) -> str:
        """Return what is waited for, where it is anything but the actors' work."""
        if not any(member.tasks for member in self.members):
            able = sum(not member.place.problem for member in self.members)
            wanted = min(self.wanted, self._most)
            if able >= wanted:
                return ""
            there = f"{able} of {wanted} actors are there"
            return "; ".join(filter(None, [f"waiting for the cluster: {there}", self._needs()]))
        now = time.monotonic()
        silent = {
            member.place.device: now - since
            for member, since in self._pings.values()
            if member.tasks and now - since > _SILENT_AFTER_SECONDS
        }
        return f"no answer from {'; '.join(silent)} for {max(silent.values()):.0f} s" if silent else ""
