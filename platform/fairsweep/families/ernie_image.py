"""ERNIE-Image: FLUX.2's latents; texts come as lists; a model of its own may rewrite the prompts."""

from typing import Any

import torch
from diffusers import DiffusionPipeline

from fairsweep.errors import FairsweepError
from fairsweep.families.flux_2 import denormalised
from fairsweep.families.general import General

_EPSILON = 1e-5  # the pipeline's own, whatever its autoencoder says


class ErnieImage(General):
    """A transformer over one sequence of image and text."""

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        return {"prompt_embeds": pipe.encode_prompt([text or ""], pipe._execution_device)}

    def rewritten(self, pipe: DiffusionPipeline, text: str, height: int, width: int) -> str:
        if pipe.pe is None or pipe.pe_tokenizer is None:
            raise FairsweepError("the pipeline has no pe and pe_tokenizer to rewrite prompts with: leave rewrite out")
        return pipe._enhance_prompt_with_pe(text, pipe._execution_device, width=width, height=height)

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return denormalised(pipe, latents, _EPSILON)
