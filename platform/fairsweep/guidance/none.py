"""No guidance: the baseline that every setting is compared with."""

from fairsweep.guidance.base import Conditioning, GuidanceMethod


class Unguided(GuidanceMethod):
    """Leave the image to the model."""

    def condition(self, prompt, negative_prompt, direction, attributes, params) -> Conditioning:
        return Conditioning(prompt, negative_prompt)
