"""The interface of a guidance method: a prompt and a direction in, what the image is made from out."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from fairsweep.attributes import Attributes
from fairsweep.errors import FairsweepError, near
from fairsweep.guidance.concepts import Conditioning


class NoParams(BaseModel):
    """No parameters; the base of every method's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


P = TypeVar("P", bound=NoParams)


class GuidanceMethod(ABC, Generic[P]):
    """Decide what steers an image. Subclass, write `condition`, declare `Params` if it takes any."""

    Params: type[P] = cast("type[P]", NoParams)
    uses_direction: bool = False

    def check(self, params: P, attributes: Attributes) -> None:
        """Refuse parameters that do not fit the attributes to steer: raise `mistakes.mistake` at the parameter."""

    @abstractmethod
    def condition(
        self, prompt: str, negative_prompt: str, direction: dict[str, str], attributes: Attributes, params: P
    ) -> Conditioning:
        """Return what the image is made from.

        direction: attribute -> the group this image is steered to (empty where the method uses none).
        attributes: those that the setting may steer, by name. params: this class's `Params`.
        """


def group_texts(direction: dict[str, str], attributes: Attributes) -> list[tuple[str, str, list[str]]]:
    """Return each directed attribute's name, its asked group's text, and the texts of its other groups."""
    directed = []
    for attribute, group in direction.items():
        if attribute not in attributes:
            raise FairsweepError(f"attribute {attribute!r} is not declared{near(attribute, attributes)}")
        texts = attributes[attribute].texts
        if group not in texts:
            raise FairsweepError(f"attribute {attribute!r} has no group {group!r}{near(group, texts)}")
        directed.append((attribute, texts[group], [text for name, text in texts.items() if name != group]))
    return directed
