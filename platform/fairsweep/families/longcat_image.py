"""LongCat-Image: FLUX's packed latents, two calls; its own text encoder may rewrite the prompts."""

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.general import FromTexts


class LongCatImage(FromTexts):
    """A transformer whose texts are all padded to one length, so that they share a call."""

    unfit = ("sequential",)

    def rewritten(self, pipe: DiffusionPipeline, text: str, height: int, width: int) -> str:
        return pipe.rewire_prompt([text], pipe._execution_device)[0]

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        return super().unscaled(pipe, latents, height, width)
