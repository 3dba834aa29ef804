"""What actors answer, and what the dispatcher tells of tasks that no actor did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairsweep.plan.todo import Batch, LabelTask


@dataclass
class Answer:
    """What an actor says of a task: its report; else why its key can be used nowhere (refused) or not here (unready).

    traceback: of what stood in the way. failed: why nothing of a task came out well, which may be the place's fault.
    """

    report: Any = None
    refused: str | None = None
    unready: str | None = None
    traceback: str = ""
    failed: str = ""


@dataclass(frozen=True)
class GivenUp:
    """A piece of work that ends every actor it is given to."""

    work: Batch | LabelTask
    reason: str


@dataclass(frozen=True)
class Refused:
    """A key that cannot be used, and the work that needs it."""

    key: str
    reason: str
    rest: Iterator[Any]


@dataclass(frozen=True)
class LeftOut:
    """Something that is no task's key and that actors died of twice while they loaded it."""

    what: str
    reason: str
