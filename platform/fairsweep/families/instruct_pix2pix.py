"""InstructPix2Pix: Stable Diffusion that sees its source picture beside the latents, guided by text and by picture."""

from typing import Any

from diffusers import DiffusionPipeline

from fairsweep.families.base import Family


class InstructPix2Pix(Family):
    """A UNet over the latents and the source picture's, in three branches."""

    name = "instruct-pix2pix"

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        return {"prompt_embeds": pipe._encode_prompt(text or "", pipe._execution_device, 1, False)}
