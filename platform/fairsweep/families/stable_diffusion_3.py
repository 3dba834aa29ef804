"""Stable Diffusion 3 and 3.5: a transformer, three text encoders, flow matching."""

from typing import ClassVar

import torch
from diffusers import DiffusionPipeline

from fairsweep.families.base import Family


class StableDiffusion3(Family):
    """A transformer that attends to text tokens jointly with the image's."""

    name = "stable-diffusion-3"
    denoiser = "transformer"
    positional = ("hidden_states", "encoder_hidden_states", "pooled_projections", "timestep")
    sample = "hidden_states"
    encoders = ("text_encoder", "text_encoder_2")
    text: ClassVar = {"prompt_embeds": "encoder_hidden_states", "pooled_prompt_embeds": "pooled_projections"}

    def encode(self, pipe: DiffusionPipeline, text: str | None, length: int | None = None) -> dict[str, torch.Tensor]:
        # The CLIP encoders' tokens stand before the T5 encoder's, whose number is the call's to choose.
        t5_length = {} if length is None else {"max_sequence_length": max(length - pipe.tokenizer_max_length, 1)}
        embeds, _, pooled, _ = pipe.encode_prompt(
            text or "",
            None,
            None,
            device=pipe._execution_device,
            do_classifier_free_guidance=False,
            clip_skip=getattr(pipe, "_clip_skip", None),
            **t5_length,
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
