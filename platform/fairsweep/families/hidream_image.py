"""HiDream: four text encoders, of which one gives every layer; its predictions are negated."""

from typing import ClassVar

from fairsweep.families.general import General


class HiDreamImage(General):
    """A transformer over T5's tokens and over those of each of Llama's layers."""

    outputs = (
        "prompt_embeds_t5",
        "negative_prompt_embeds_t5",
        "prompt_embeds_llama3",
        "negative_prompt_embeds_llama3",
        "pooled_prompt_embeds",
        "negative_pooled_prompt_embeds",
    )
    # [layers, texts, tokens, channels]
    dims: ClassVar = {"prompt_embeds_llama3": 1}
