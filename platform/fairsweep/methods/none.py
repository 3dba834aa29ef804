"""No guidance: the baseline that every setting is compared with."""

from collections.abc import Mapping

from fairsweep.attributes import AttributeSpec
from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods.base import GuidanceMethod, NoParams


class Unguided(GuidanceMethod[NoParams]):
    """Leave the image to the model."""

    def condition(
        self,
        prompt: str,
        negative_prompt: str,
        direction: dict[str, str],
        attributes: Mapping[str, AttributeSpec],
        params: NoParams,
    ) -> Conditioning:
        return Conditioning(prompt, negative_prompt)
