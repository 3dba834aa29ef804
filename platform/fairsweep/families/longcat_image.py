"""LongCat-Image: FLUX's packed latents, two calls; its own text encoder may rewrite the prompts."""

from typing import Any

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.general import General


class LongCatImage(General):
    """A transformer whose call takes texts alone: it has no use for embeddings without their prompt."""

    unfit = ("sequential",)

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        # All are padded to one length, so that they share a call.
        return {"prompt": [text or ""]}

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        options = super().options(pipe, guidance_scale, negative)
        del options["negative_prompt"]
        return options

    def rewritten(self, pipe: DiffusionPipeline, text: str, height: int, width: int) -> str:
        return pipe.rewire_prompt([text], pipe._execution_device)[0]

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        return super().unscaled(pipe, latents, height, width)
