"""Fair guidance: methods that decide what steers an image, and the wrapper that steers it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from fairsweep.guidance.base import Concept, Conditioning, Edit, GuidanceMethod, toward
from fairsweep.registry import find

METHODS = {
    "none": "fairsweep.guidance.none:Unguided",
    "fair": "fairsweep.guidance.fair:Fair",
    "prompt": "fairsweep.guidance.prompt:EthicalPrompt",
    "attribute-prompt": "fairsweep.guidance.attribute_prompt:AttributePrompt",
    "negative-prompt": "fairsweep.guidance.negative_prompt:NegativePrompt",
}

__all__ = [
    "METHODS",
    "Concept",
    "Conditioning",
    "Edit",
    "GuidanceMethod",
    "fair_guidance",
    "get_method",
    "toward",
]


def get_method(name: str) -> GuidanceMethod:
    """Return the guidance method of that name, or the user's own as "module:Class"."""
    return find(name, METHODS, "guidance method")()


def fair_guidance(pipe, edits: Sequence[Edit | None]) -> AbstractContextManager:
    """Guide every call of a diffusers pipeline inside a `with` block, one edit (or None) per image.

        with fair_guidance(pipe, [toward("female person", "male person"), None]):
            images = pipe(prompts, generator=generators).images

    The edits stand in the order of the images that one call returns. Raises FairsweepError when the
    pipeline's denoiser is not known, or when a call makes more or fewer images than there are edits.
    """
    from fairsweep.guidance.denoiser import guide

    return guide(pipe, edits)
