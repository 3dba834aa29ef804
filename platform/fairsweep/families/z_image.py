"""Z-Image: rows and texts come as lists, so that each has a length of its own."""

from typing import Any

from diffusers import DiffusionPipeline

from fairsweep.families.general import General


class ZImage(General):
    """A transformer over one sequence of text and image; its guidance scale counts from 0."""

    unguided = 0.0

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        embeddings = super().encode(pipe, text, negative)
        # Without a prompt beside them its call leaves `encode_prompt` out, which guidance watches.
        return embeddings if negative else embeddings | {"prompt": [""]}
