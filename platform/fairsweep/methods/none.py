"""No guidance: the baseline that every setting is compared with."""

from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods.base import GuidanceMethod


class Unguided(GuidanceMethod):
    """Leave the image to the model."""

    def condition(self, prompt, negative_prompt, direction, attributes, params) -> Conditioning:
        return Conditioning(prompt, negative_prompt)
