"""ERNIE-Image: FLUX.2's latents; texts come as lists; a model of its own may rewrite the prompts."""

from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch.nn.utils.rnn import pad_sequence

from fairsweep.errors import FairsweepError
from fairsweep.families.flux_2 import denormalised
from fairsweep.families.general import FromTexts

_EPSILON = 1e-5  # the pipeline's own, whatever its autoencoder says


class ErnieImage(FromTexts):
    """A transformer over one sequence of image and text, whose call takes texts or embeddings, and never both.

    Each text is encoded by itself, and what pads it is masked.
    """

    pads = True

    def told(self, outputs: list[Any], branched: bool) -> list[Any]:
        (texts,) = outputs
        return [pad_sequence(texts, batch_first=True), torch.tensor([len(text) for text in texts])]

    def rewritten(self, pipe: DiffusionPipeline, text: str, height: int, width: int) -> str:
        if pipe.pe is None or pipe.pe_tokenizer is None:
            raise FairsweepError("the pipeline has no pe and pe_tokenizer to rewrite prompts with: leave rewrite out")
        return pipe._enhance_prompt_with_pe(text, pipe._execution_device, width=width, height=height)

    def unscaled(self, pipe: DiffusionPipeline, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return denormalised(pipe, latents, _EPSILON)

    def to_channels(self, prediction: torch.Tensor) -> torch.Tensor:
        # [rows, channels * 4, height / 2, width / 2]
        return prediction.unflatten(1, (-1, 4)).flatten(2)
