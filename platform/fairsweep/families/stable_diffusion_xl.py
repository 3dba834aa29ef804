"""Stable Diffusion XL, text to image and image to image: two encoders, a pooled embedding, and time ids."""

from typing import Any

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.base import Family


class StableDiffusionXL(Family):
    """A UNet that attends to two encoders' tokens and adds a pooled embedding to its time step."""

    name = "stable-diffusion-xl"
    encoders = ("text_encoder_2",)  # the refiner has only this one
    upcasts = True

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        # With an empty negative prompt SDXL's unconditional input is zeros, not the encoding of "".
        embeds, negative, pooled, negative_pooled = pipe.encode_prompt(
            text or "",
            device=pipe._execution_device,
            do_classifier_free_guidance=text is None,
            clip_skip=getattr(pipe, "_clip_skip", None),
        )
        if text is None:
            embeds, pooled = negative, negative_pooled
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        config = pipe.vae.config
        mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
        if mean is None or std is None:
            return super().unscaled(pipe, latents, height, width)
        mean, std = (torch.tensor(value).view(1, -1, 1, 1).to(latents) for value in (mean, std))
        return latents * std / config.scaling_factor + mean
