"""Qwen-Image: packed latents, true guidance in two calls, an autoencoder of video."""

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.general import General


class QwenImage(General):
    """A transformer over 2x2 packed latents; a picture is a film of one frame."""

    outputs = "prompt_embeds", "prompt_embeds_mask"
    scale = "true_cfg_scale"

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        config = pipe.vae.config
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        mean, std = (
            torch.tensor(value).view(1, -1, 1, 1, 1).to(latents) for value in (config.latents_mean, config.latents_std)
        )
        return latents * std + mean
