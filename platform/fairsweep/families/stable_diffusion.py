"""Stable Diffusion 1.x and 2.x, text to image and image to image: one text encoder."""

from typing import Any

from diffusers import DiffusionPipeline

from fairsweep.families.base import Family


class StableDiffusion(Family):
    """A UNet that attends to one encoder's tokens."""

    name = "stable-diffusion"

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        embeds, _ = pipe.encode_prompt(
            text or "", pipe._execution_device, 1, False, clip_skip=getattr(pipe, "_clip_skip", None)
        )
        return {"prompt_embeds": embeds}
