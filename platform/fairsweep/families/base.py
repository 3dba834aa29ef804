"""What differs between model families: where the denoiser is, how text reaches it, its output's layout."""

from typing import Any, ClassVar

import torch
from diffusers import DiffusionPipeline


class Family:
    """One family of diffusers pipelines. Subclass, fill in the fields, and add rows to FAMILIES.

    denoiser: the pipeline's attribute that holds it.
    positional: names of the arguments that the denoiser may get by position.
    sample: the argument that holds the noisy latents.
    encoders: the components without which no text can be encoded.
    text: the pipeline's name of an embedding -> where the denoiser takes it ("a.b": key b of dictionary a).
    shared: tensor arguments without a batch dimension.
    two_calls: classifier-free guidance is two calls a step, conditional first, not one on a double batch.
    upcasts: a half-precision autoencoder that says so (force_upcast) decodes in single precision.
    """

    name: str
    denoiser: str = "unet"
    positional: tuple[str, ...] = ()
    sample: str = "sample"
    encoders: tuple[str, ...] = ("text_encoder",)
    text: ClassVar[dict[str, str]]
    shared: tuple[str, ...] = ()
    two_calls: bool = False
    upcasts: bool = False

    def encode(self, pipe: DiffusionPipeline, text: str | None, length: int | None = None) -> dict[str, torch.Tensor]:
        """Encode one text as the pipeline would: name as in `text` -> [1, ...]; None is the empty condition.

        length: tokens that the text takes in the denoiser, for families in which a call can choose it.
        """
        raise NotImplementedError

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        """Return the call's guidance arguments; negative: some image has a negative prompt."""
        return {"guidance_scale": guidance_scale}

    def size(self, pipe) -> int:
        """Return the pixels a side of the images that the pipeline makes where a call does not say."""
        latent = getattr(pipe, self.denoiser).config.sample_size
        return (latent if isinstance(latent, int) else max(latent)) * pipe.vae_scale_factor

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Return denoised latents as the autoencoder takes them, for pictures of so many pixels."""
        config = pipe.vae.config
        latents = latents / config.scaling_factor
        shift = getattr(config, "shift_factor", None)
        return latents if shift is None else latents + shift

    def to_channels(self, output: torch.Tensor) -> torch.Tensor:
        """Lay a denoiser output out as [rows, latent channels, positions]."""
        return output.flatten(2)

    def from_channels(self, value: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Undo `to_channels`: lay `value` out like one row of `output`."""
        return value.view(-1, *output.shape[1:])
