"""What a part of the benchmark is: one thing that is looked at on a card, and the images that it is tried on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fairsweep.bench import guidance
from fairsweep.bench.gpu.card import Card
from fairsweep.guidance import toward
from fairsweep.guidance.concepts import Conditioning, Edit

Verdict = tuple[str, dict[str, Any]]
_SETTINGS: dict[str, Any] = guidance.FAIR_DIFFUSION
EDIT = toward(*guidance.PAIR, **_SETTINGS)
HALF = ("float16", "bfloat16")


@dataclass(frozen=True)
class Part:
    """One thing that is looked at. work: returns the verdict and its figures."""

    name: str
    work: Callable[[Card], Verdict]
    needs_card: bool = False


def images(count: int, edit: Edit | None = EDIT) -> tuple[list[Conditioning], list[int]]:
    """Return what so many images are asked for, and their seeds."""
    return [Conditioning(guidance.PROMPT, edit=edit)] * count, list(range(count))


def pairs(count: int, edit: Edit | None = EDIT) -> list[tuple[Conditioning, int]]:
    """Return the same, image by image."""
    return list(zip(*images(count, edit), strict=True))


def verdict(condition: bool) -> str:
    """Return the word for what was claimed."""
    return "holds" if condition else "refuted"
