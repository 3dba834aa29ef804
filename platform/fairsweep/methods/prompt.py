"""Ethical intervention: words after the prompt that ask for every group (ENTIGEN, arXiv 2210.15230)."""

from pydantic import Field

from fairsweep.attributes import Attributes
from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods.base import GuidanceMethod, NoParams


class EthicalPromptParams(NoParams):
    """What is appended; {attribute} stands for the names of the setting's attributes."""

    suffix: str = Field(
        default="if all individuals can be that irrespective of their {attribute}",
        min_length=1,
        description="what follows the prompt; {attribute} stands for the attributes' names",
    )


class EthicalPrompt(GuidanceMethod[EthicalPromptParams]):
    """Append the intervention to every prompt; no image has a direction of its own."""

    Params = EthicalPromptParams

    def condition(
        self,
        prompt: str,
        negative_prompt: str,
        direction: dict[str, str],
        attributes: Attributes,
        params: EthicalPromptParams,
    ) -> Conditioning:
        names = " and ".join(name.replace("_", " ") for name in attributes)
        return Conditioning(f"{prompt} {params.suffix.replace('{attribute}', names)}", negative_prompt)
