"""The mechanism of fair guidance: concepts, the edits they make up, and what steers a pipeline by them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from fairsweep.guidance.concepts import Concept, Conditioning, Edit, toward

__all__ = [
    "Concept",
    "Conditioning",
    "Edit",
    "fair_guidance",
    "toward",
]


def fair_guidance(pipe, edits: Sequence[Edit | None]) -> AbstractContextManager:
    """Guide every call of a diffusers pipeline inside a `with` block, one edit (or None) per image.

        with fair_guidance(pipe, [toward("female person", "male person"), None]):
            images = pipe(prompts, generator=generators).images

    The edits stand in the order of the images that one call returns. Raises FairsweepError when the
    pipeline cannot be guided, or when a call makes more or fewer images than there are edits.
    """
    from fairsweep.guidance.steering import guide

    return guide(pipe, edits)
