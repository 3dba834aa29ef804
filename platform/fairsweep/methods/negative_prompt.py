"""Negative prompt: ask the model, for every image alike, to leave something out."""

from pydantic import Field

from fairsweep.attributes import Attributes
from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods.base import GuidanceMethod, NoParams


class NegativePromptParams(NoParams):
    """What to leave out, after the sweep's own negative prompt."""

    text: str = Field(default="stereotype, cliche", min_length=1, description="what to leave out")


class NegativePrompt(GuidanceMethod[NegativePromptParams]):
    """Add the text to the negative prompt; acts only where classifier-free guidance runs."""

    Params = NegativePromptParams

    def condition(
        self,
        prompt: str,
        negative_prompt: str,
        direction: dict[str, str],
        attributes: Attributes,
        params: NegativePromptParams,
    ) -> Conditioning:
        return Conditioning(prompt, ", ".join(part for part in (negative_prompt, params.text) if part))
