"""Write the group into the prompt: how far words alone can go, the upper bound for any guidance."""

from pydantic import Field, field_validator

from fairsweep.attributes import Attributes
from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods.base import GuidanceMethod, NoParams, group_texts


class AttributePromptParams(NoParams):
    """How prompt and groups are put together."""

    template: str = Field(default="{prompt}, {groups}", description="holds {prompt} and {groups}")

    @field_validator("template")
    @classmethod
    def _check(cls, template: str) -> str:
        if "{prompt}" not in template or "{groups}" not in template:
            raise ValueError(f"the template {template!r} must hold {{prompt}} and {{groups}}")
        return template


class AttributePrompt(GuidanceMethod[AttributePromptParams]):
    """Name the groups that the image is directed to, one text per attribute, in its prompt."""

    Params = AttributePromptParams
    uses_direction = True

    def condition(
        self,
        prompt: str,
        negative_prompt: str,
        direction: dict[str, str],
        attributes: Attributes,
        params: AttributePromptParams,
    ) -> Conditioning:
        groups = ", ".join(text for _, text, _ in group_texts(direction, attributes))
        if not groups:
            return Conditioning(prompt, negative_prompt)
        # One pass, so that braces inside the prompt stay text.
        parts = params.template.split("{prompt}")
        return Conditioning(prompt.join(part.replace("{groups}", groups) for part in parts), negative_prompt)
