"""Kolors: SDXL's denoiser, told by a bilingual language model."""

from fairsweep.families.general import General


class Kolors(General):
    """A UNet that attends to ChatGLM's tokens and adds its last one to the time step."""

    outputs = "prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"
    upcasts = True
