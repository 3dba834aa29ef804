"""FLUX.2 Klein: two calls; normalised latents, which leave the call as the autoencoder takes them."""

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.general import General


class Flux2Klein(General):
    """A transformer over tokens of text and image with positions of their own."""

    outputs = "prompt_embeds", None

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return latents
