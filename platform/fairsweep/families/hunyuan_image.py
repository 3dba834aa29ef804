"""HunyuanImage: two encodings of a text, one of what it quotes; guidance by a guider, a part of the pipeline."""

from collections.abc import Hashable
from typing import Any

from diffusers import DiffusionPipeline
from diffusers.pipelines.hunyuan_image.pipeline_hunyuanimage import extract_glyph_text

from fairsweep.errors import FairsweepError
from fairsweep.families.general import General


class HunyuanImage(General):
    """A transformer over the tokens of Qwen and of a byte-level T5; the scale of guidance is its guiders'."""

    outputs = "prompt_embeds", "prompt_embeds_mask", "prompt_embeds_2", "prompt_embeds_mask_2"

    def kind(self, text: str | None) -> Hashable:
        # Where one prompt of a call quotes something, the guider for writing guides them all.
        return extract_glyph_text(text or "") is not None

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        guiders = [guider for guider in (pipe.guider, pipe.ocr_guider) if guider is not None]
        if negative and not guiders:
            raise FairsweepError("a guidance-distilled HunyuanImage model takes no negative prompt")
        for guider in guiders:
            guider.guidance_scale = guidance_scale if guidance_scale > 1 else self.unguided
        return {"distilled_guidance_scale": guidance_scale} if pipe.transformer.config.guidance_embeds else {}
