"""InstructPix2Pix: Stable Diffusion that sees its source picture beside the latents, guided by text and by picture."""

from typing import Any

from diffusers import DiffusionPipeline

from fairsweep.families.base import Family

_BRANCHES = 3  # text and picture, picture alone, neither


class InstructPix2Pix(Family):
    """A UNet over the latents and the source picture's, in three branches; concepts are compared with the second."""

    name = "instruct-pix2pix"
    encoding = "_encode_prompt"

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        return {"prompt_embeds": pipe._encode_prompt(text or "", pipe._execution_device, 1, False)}

    def told(self, outputs: list[Any], branched: bool) -> list[Any]:
        # All branches come in one tensor, the prompts' first.
        return [outputs[0].chunk(_BRANCHES)[0]] if branched else outputs
