"""What differs between model families: how text is encoded ahead of a call, sizes, and the latents' layout."""

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import torch
from diffusers import DiffusionPipeline
from PIL import Image

_SIDE = 1024  # pixels, of classes that say nothing else
# Where pipelines keep their denoiser.
DENOISERS = ("transformer", "unet", "prior")


class Family:
    """One family of diffusers pipelines. Subclass, fill in the fields, and add rows to FAMILIES.

    denoiser: the pipeline's attribute that holds it.
    encoders: the components without which no text can be encoded.
    encoding: the pipeline's method that encodes its prompts.
    pads: the pipeline pads its texts with zeros after they are encoded, and says how long each is.
    upcasts: a half-precision autoencoder that says so (force_upcast) decodes in single precision.
    dims: the dimension of texts of what `encode` returns, where it is not the first.
    alone: each prompt is encoded together with its picture, so that each image has a call of its own.
    unfit: what `offload` and `quantize` of a model may not be, as its class reads weights past their modules.
    """

    name: str = "general"
    denoiser: str = "unet"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    encoding: str = "encode_prompt"
    pads: bool = False
    upcasts: bool = False
    alone: bool = False
    dims: ClassVar[dict[str, int]] = {}
    unfit: ClassVar[tuple[str, ...]] = ()

    def __init__(self, pipe: DiffusionPipeline):
        # Tokens of packed latents hold a 2x2 patch of every channel, wherever pipelines pack.
        self._packs = hasattr(pipe, "_pack_latents")

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        """Encode one text as the pipeline would: argument of its call -> [1, ...], a list of one, or None.

        None is the empty condition. negative: it is for the unconditional branch.
        """
        raise NotImplementedError

    def told(self, outputs: list[Any], branched: bool) -> list[Any]:
        """Return what the pipeline's encoding returned of its prompts, as the denoiser is told it.

        branched: it was asked for the unconditional branch too.
        """
        return outputs

    def kind(self, text: str | None) -> Hashable:
        """Return what must be the same of all texts of one call, beside the shapes of their embeddings."""
        return None

    def rewritten(self, pipe: DiffusionPipeline, text: str, height: int, width: int) -> str:
        """Return a prompt as the pipeline's own rewriter words it for a picture of so many pixels; see REWRITERS."""
        raise NotImplementedError

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        """Return the call's guidance arguments; negative: some image has a negative prompt."""
        return {"guidance_scale": guidance_scale}

    def steps(self, count: int) -> dict[str, Any]:
        """Return the call's arguments for so many denoising steps."""
        return {"num_inference_steps": count}

    def sources(self, pictures: Sequence[Image.Image], height: int, width: int) -> dict[str, Any]:
        """Return the call's arguments for the pictures that it starts from, which have the size asked for."""
        return {"image": list(pictures)}

    def size(self, pipe) -> int:
        """Return the pixels a side of the images that the pipeline makes where a call does not say."""
        config = getattr(pipe, self.denoiser).config
        latent = getattr(config, "sample_size", None) or getattr(pipe, "default_sample_size", None)
        if latent is None:
            return _SIDE
        return (latent if isinstance(latent, int) else max(latent)) * pipe.vae_scale_factor

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Return denoised latents as the autoencoder takes them, for pictures of so many pixels."""
        config = pipe.vae.config
        latents = latents / config.scaling_factor
        shift = getattr(config, "shift_factor", None)
        return latents if shift is None else latents + shift

    def to_channels(self, prediction: torch.Tensor) -> torch.Tensor:
        """Lay a denoiser's prediction out as [rows, latent channels, positions]."""
        if self._packs and prediction.dim() == 3:
            # [rows, tokens, channels * 4]
            return prediction.unflatten(2, (-1, 4)).transpose(1, 2).flatten(2)
        return prediction.flatten(2)

    def from_channels(self, value: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
        """Undo `to_channels`: lay `value` out like one row of a prediction."""
        if self._packs and prediction.dim() == 3:
            return value.unflatten(2, (prediction.shape[1], 4)).transpose(1, 2).flatten(2)
        return value.view(-1, *prediction.shape[1:])
