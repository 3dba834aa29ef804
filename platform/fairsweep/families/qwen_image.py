"""Qwen-Image and its editors: packed latents, true guidance in two calls, an autoencoder of video."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL import Image

from fairsweep.families.general import FromTexts, General


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


class QwenImageEdit(FromTexts, QwenImage):
    """Edits by instruction: its text encoder sees the source picture, and so does its transformer, behind the image.

    Texts are encoded by the call, which alone knows the picture.
    """

    alone = True

    def sources(self, pictures: Sequence[Image.Image], height: int, width: int) -> dict[str, Any]:
        # No list: its pictures would reach the text encoder in another size than a picture does.
        (picture,) = pictures
        return {"image": picture}
