"""Stable Diffusion 3 and 3.5: a transformer, three text encoders, flow matching."""

from typing import Any

from diffusers import DiffusionPipeline

from fairsweep.families.base import Family


class StableDiffusion3(Family):
    """A transformer that attends to text tokens jointly with the image's."""

    name = "stable-diffusion-3"
    denoiser = "transformer"
    encoders = ("text_encoder", "text_encoder_2")

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        embeds, _, pooled, _ = pipe.encode_prompt(
            text or "",
            None,
            None,
            device=pipe._execution_device,
            do_classifier_free_guidance=False,
            clip_skip=getattr(pipe, "_clip_skip", None),
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
