"""FLUX.1: packed latents; guidance distilled into an embedding, or true guidance in two calls."""

from typing import Any, ClassVar

import torch
from diffusers import DiffusionPipeline

from fairsweep.errors import FairsweepError
from fairsweep.families.base import Family


class Flux(Family):
    """A transformer over 2x2 packed latents; true classifier-free guidance calls it twice a step."""

    name = "flux"
    denoiser = "transformer"
    positional = ("hidden_states", "encoder_hidden_states", "pooled_projections", "timestep")
    sample = "hidden_states"
    encoders = ("text_encoder", "text_encoder_2")
    text: ClassVar = {"prompt_embeds": "encoder_hidden_states", "pooled_prompt_embeds": "pooled_projections"}
    shared = ("img_ids", "txt_ids")
    two_calls = True

    def encode(self, pipe: DiffusionPipeline, text: str | None, length: int | None = None) -> dict[str, torch.Tensor]:
        given = {} if length is None else {"max_sequence_length": length}
        embeds, pooled, _ = pipe.encode_prompt(text or "", None, device=pipe._execution_device, **given)
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

    def to_channels(self, output: torch.Tensor) -> torch.Tensor:
        # [rows, positions, channels * 4]: each position packs a 2x2 patch of every latent channel.
        return output.unflatten(2, (-1, 4)).transpose(1, 2).flatten(2)

    def from_channels(self, value: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return value.unflatten(2, (output.shape[1], 4)).transpose(1, 2).flatten(2)
