"""FLUX.2: normalised latents of 2x2 patches, and tokens with positions of their own."""

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.general import General


class Flux2Klein(General):
    """Klein: two calls a step; its latents leave the call as the autoencoder takes them."""

    outputs = "prompt_embeds", None

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return latents


class Flux2(General):
    """Dev: guidance is distilled into an embedding, and there is no second branch."""

    outputs = "prompt_embeds", None

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        side = pipe.vae_scale_factor * 2
        patches = latents.transpose(1, 2).unflatten(2, (height // side, width // side))
        return denormalised(pipe, patches, pipe.vae.config.batch_norm_eps)


def denormalised(pipe: DiffusionPipeline, patches: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return latents [rows, channels * 4, height / 2, width / 2] as FLUX.2's autoencoder takes them."""
    norm = pipe.vae.bn
    mean, variance = (value.view(1, -1, 1, 1).to(patches) for value in (norm.running_mean, norm.running_var))
    return pipe._unpatchify_latents(patches * torch.sqrt(variance + epsilon) + mean)
