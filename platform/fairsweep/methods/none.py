"""No guidance: the baseline that every setting is compared with."""

from fairsweep.attributes import Attributes
from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods.base import GuidanceMethod, NoParams


class Unguided(GuidanceMethod[NoParams]):
    """Leave the image to the model."""

    def condition(
        self, prompt: str, negative_prompt: str, direction: dict[str, str], attributes: Attributes, params: NoParams
    ) -> Conditioning:
        return Conditioning(prompt, negative_prompt)
