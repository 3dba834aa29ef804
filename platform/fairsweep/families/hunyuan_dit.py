"""Hunyuan-DiT: two text encoders, asked one after the other."""

from typing import ClassVar

from fairsweep.families.general import General


class HunyuanDiT(General):
    """A transformer that attends to a bilingual CLIP's tokens and to T5's."""

    unfit = ("sequential", "nf4")
    outputs = "prompt_embeds", "negative_prompt_embeds", "prompt_attention_mask", "negative_prompt_attention_mask"
    passes: ClassVar = {
        "": {"max_sequence_length": 77, "text_encoder_index": 0},
        "_2": {"max_sequence_length": 256, "text_encoder_index": 1},
    }
