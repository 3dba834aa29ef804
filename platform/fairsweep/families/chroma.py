"""Chroma: FLUX's packed latents, classifier-free guidance in two calls, masks of text."""

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.general import General


class Chroma(General):
    """A transformer over 2x2 packed latents whose mask goes on over the image's tokens."""

    outputs = (
        "prompt_embeds",
        None,
        "prompt_attention_mask",
        "negative_prompt_embeds",
        None,
        "negative_prompt_attention_mask",
    )

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        return super().unscaled(pipe, latents, height, width)
