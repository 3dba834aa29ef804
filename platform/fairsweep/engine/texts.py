"""What a model's own text encoder makes of texts: asked of an actor that holds the pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairsweep.engine.events import GivenUp, Refused


@dataclass(frozen=True)
class TextTask:
    """Texts that the text encoder of a model is to embed."""

    model: str
    texts: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""
        return f"model {self.model}"

    def split(self) -> list["TextTask"]:
        """Return it as it is: an encoder is asked once."""
        return [self]


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, [texts, dimensions]; None where there are none, and why."""

    vectors: NDArray[np.float64] | None = None
    reason: str = ""


def embedded(events: Iterator[Any]) -> Embedded:
    """Return what became of a TextTask, from the dispatcher's events."""
    answer = Embedded(reason="no actor answered")
    for event in events:
        match event:
            case Embedded():
                answer = event
            case GivenUp(_, why) | Refused(_, why, _):
                answer = Embedded(reason=why)
    return answer
