"""PixArt Sigma, SANA, AuraFlow, Lumina 2: a mask comes with the embeddings of either branch."""

from typing import Any

from fairsweep.families.general import General


class Masked(General):
    """A transformer that is told which tokens of text are none."""

    outputs = "prompt_embeds", "prompt_attention_mask", "negative_prompt_embeds", "negative_prompt_attention_mask"


class SanaSprint(General):
    """SANA Sprint: guidance is distilled into an embedding, and there is no second branch."""

    outputs = "prompt_embeds", "prompt_attention_mask"

    def steps(self, count: int) -> dict[str, Any]:
        # What its call takes between the first step and the last stands for two steps alone.
        return super().steps(count) | ({} if count == 2 else {"intermediate_timesteps": None})
