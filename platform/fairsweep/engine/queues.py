"""The tasks that wait: a lazy queue for each thing that an actor must load first, and who takes from which."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

from fairsweep.engine.places import Place


class Work(Protocol):
    """What an actor is handed: `key` names what it must load for it."""

    key: str

    def split(self) -> list["Work"]:
        """Return the smallest pieces that it can be done in."""


@dataclass(eq=False)
class Task:
    """A piece of work, how many actors it may have killed, and the task that it is a part of.

    places: where something went wrong with it. doubt: where it failed as a whole, and why, until another place tried.
    """

    work: Any
    kills: float = 0
    whole: "Task | None" = None
    done: bool = False
    places: list[Place] = field(default_factory=list)
    doubt: tuple[Place, str] | None = None

    @property
    def origin(self) -> "Task":
        """Return the task that this one was split from, or itself."""
        return self.whole or self


class Queues:
    """One queue of tasks per key, read no further ahead than asked."""

    def __init__(self, streams: Mapping[str, Iterator[Work]]):
        self._streams = dict(streams)
        self._ahead: dict[str, deque[Task]] = {key: deque() for key in streams}

    def __contains__(self, key: str) -> bool:
        return key in self._ahead

    def keys(self) -> set[str]:
        """Return the keys that tasks wait for."""
        return {key for key in self._ahead if self.left(key, 1)}

    def left(self, key: str, most: int) -> int:
        """Return how many tasks of a key wait, counted up to `most`."""
        ahead = self._ahead[key]
        while len(ahead) < most and key in self._streams:
            work = next(self._streams[key], None)
            if work is None:
                del self._streams[key]
            else:
                ahead.append(Task(work))
        return len(ahead)

    def total(self, most: int) -> int:
        """Return how many tasks wait, counted up to `most`."""
        count = 0
        for key in self._ahead:
            count += self.left(key, most - count)
            if count >= most:
                break
        return count

    def next(self, key: str) -> Task:
        """Take the next task of a key that has one."""
        return self._ahead[key].popleft()

    def back(self, task: Task) -> None:
        """Let a task wait again, before all others of its key."""
        self._ahead[task.work.key].appendleft(task)

    def drain(self, key: str) -> Iterator[Work]:
        """Yield all work of a key that waits; none is left at once."""
        ahead, self._ahead[key] = self._ahead[key], deque()
        return chain((task.work for task in ahead), self._streams.pop(key, ()))

    def choose(self, own: str | None, holders: Counter, fits: Callable[[str], bool], most: int) -> str | None:
        """Return the key to take from: the one that is loaded, else the one that most tasks wait for.

        holders: how many actors have each key loaded. They are left the last task each, and nobody loads a key for it.
        """
        if own is not None and own in self and self.left(own, 1) and fits(own):
            return own
        best, wait = None, 0.0
        for key in self._ahead:
            left, held = self.left(key, most), holders[key]
            if left > held and left / (held + 1) > wait and fits(key):
                best, wait = key, left / (held + 1)
        return best
