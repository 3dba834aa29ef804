"""Fair Diffusion: Semantic Guidance toward the image's own group, away from the attribute's others."""

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field, FiniteFloat

from fairsweep.attributes import Attributes
from fairsweep.errors import FairsweepError, near
from fairsweep.guidance.concepts import (
    NO_STEPS,
    Concept,
    Conditioning,
    Edit,
    is_fraction,
    is_steps,
    pull_weight,
)
from fairsweep.methods.base import GuidanceMethod, NoParams, group_texts
from fairsweep.mistakes import mistake


def _steps(value: float) -> float:
    if not is_steps(value):
        raise mistake(f"{value:g} is {NO_STEPS}")
    return value if is_fraction(value) else int(value)


Steps = Annotated[float, AfterValidator(_steps)]


class FairParams(NoParams):
    """Semantic Guidance's parameters at Fair Diffusion's values (arXiv 2302.10893, section 4)."""

    scale: FiniteFloat | dict[str, FiniteFloat] = Field(default=4.0, description="edit scale, or one per attribute")
    threshold: float = Field(default=0.95, ge=0, le=1, description="quantile of each channel left unchanged")
    warmup_steps: Steps = Field(
        default=5,
        ge=0,
        description="steps before the guidance sets in; between 0 and 1: a fraction of the steps",
    )
    cooldown_steps: Steps | None = Field(
        default=None, ge=0, description="the step from which it is off, or a fraction of the steps; silent: never"
    )
    momentum_scale: FiniteFloat = Field(default=0.5, description="weight of what earlier steps add")
    momentum_beta: float = Field(default=0.6, ge=0, le=1, description="how long earlier steps are remembered")
    pull: FiniteFloat | None = Field(
        default=None, ge=0, description="weight that the other groups share; 1 for one other, 0.1 for more"
    )
    # Out of the resolved spec while 1, so that the fingerprints of older specs stay.
    concepts_every: int = Field(
        default=1,
        ge=1,
        exclude_if=lambda value: value == 1,
        description="steps for which the concepts' guidance of one is used; above 1: faster, and approximate, see "
        "docs/speed.md",
    )


class Fair(GuidanceMethod[FairParams]):
    """Push the group that the image is steered to and pull the others.

    With two groups this is Fair Diffusion's concept pair. With more, the pulled groups share a smaller weight.
    Several attributes add up.
    """

    Params = FairParams
    uses_direction = True

    def check(self, params: FairParams, attributes: Attributes) -> None:
        if not isinstance(params.scale, dict):
            return
        for name in params.scale:
            if name not in attributes:
                raise mistake(f"no attribute that this setting steers{near(name, attributes)}", "scale", name)
        for name in attributes:
            if name not in params.scale:
                raise mistake(f"no scale for {name!r}: give each steered attribute one", "scale")

    def condition(
        self, prompt: str, negative_prompt: str, direction: dict[str, str], attributes: Attributes, params: FairParams
    ) -> Conditioning:
        concepts = []
        for attribute, text, others in group_texts(direction, attributes):
            push = Concept(
                text,
                scale=_scale(params.scale, attribute),
                threshold=params.threshold,
                warmup_steps=params.warmup_steps,
                cooldown_steps=params.cooldown_steps,
            )
            concepts.append(push)
            weight = pull_weight(len(others), params.pull)
            if weight:
                concepts += [replace(push, text=other, reverse=True, weight=weight) for other in others]
        if not concepts:
            return Conditioning(prompt, negative_prompt)
        edit = Edit(tuple(concepts), params.momentum_scale, params.momentum_beta, params.concepts_every)
        return Conditioning(prompt, negative_prompt, edit)


def _scale(scale: float | dict[str, float], attribute: str) -> float:
    if not isinstance(scale, dict):
        return scale
    if attribute not in scale:
        raise FairsweepError(f"no scale for {attribute!r}: scale names only {', '.join(scale)}")
    return scale[attribute]
