"""FLUX.1: packed latents; guidance distilled into an embedding, or true guidance in two calls."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.families.base import Family


class Flux(Family):
    """A transformer over 2x2 packed latents; true classifier-free guidance calls it twice a step."""

    name = "flux"
    denoiser = "transformer"
    encoders = ("text_encoder", "text_encoder_2")

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        embeds, pooled, _ = pipe.encode_prompt(text or "", None, device=pipe._execution_device)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        if not pipe.transformer.config.guidance_embeds:
            return {"true_cfg_scale": guidance_scale}
        if negative:
            raise FairsweepError("a guidance-distilled FLUX model takes no negative prompt")
        return {"guidance_scale": guidance_scale}

    def size(self, pipe):
        return pipe.default_sample_size * pipe.vae_scale_factor

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return super().unscaled(
            pipe, pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor), height, width
        )


class FluxKontext(Flux):
    """Edits by instruction: the source picture's tokens stand behind the image's own."""

    def sources(self, pictures: Sequence[Image.Image], height: int, width: int) -> dict[str, Any]:
        # The size that was asked for, not the nearest that the model was trained at.
        return super().sources(pictures, height, width) | {"max_area": height * width, "_auto_resize": False}
