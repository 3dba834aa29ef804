"""The interface of a classifier: images and their prompts in, labels out."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, Field

from fairsweep.attributes import NO_FACE, UNKNOWN, Attributes


@dataclass(frozen=True)
class Label:
    """What one classifier says about one attribute of one image.

    label: a declared group, "no_face" or "unknown". score: the label's probability in [0, 1]. scores: every
    candidate's. The attribute "_image" stands for the whole picture: its score is the cosine of image and
    prompt, its embedding the image's, of unit length.
    """

    attribute: str
    label: str
    score: float
    scores: dict[str, float]
    embedding: list[float] | None = None


class ClassifierParams(BaseModel):
    """The parameters that every classifier takes; its own add to them."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    unknown_margin: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="the label is unknown where the best two groups are closer than this",
    )
    batch_size: int = Field(default=64, ge=1, description="images per forward")


P = TypeVar("P", bound=ClassifierParams)


class Classifier(ABC, Generic[P]):
    """Read attributes off images. Subclass, write `_classify`, declare `Params` if it takes any.

    attributes: those of the sweep, by name. Construction loads the weights.
    """

    Params: type[P] = cast("type[P]", ClassifierParams)

    def __init__(self, params: P, attributes: Attributes, device: str = "cpu"):
        self.params, self.attributes, self.device = params, attributes, device

    @classmethod
    def known_groups(cls, params: P) -> dict[str, tuple[str, ...]] | None:
        """Return attribute -> the groups it can tell, without loading weights; None: any declared one."""
        return None

    @classmethod
    def check(cls, params: P, attributes: Attributes) -> None:
        """Refuse parameters that do not fit the declared attributes: raise `mistakes.mistake` at the parameter."""

    def classify(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Label]]:
        """Return the labels of each image; `prompts` are the texts that the images were made from."""
        size = self.params.batch_size
        starts = range(0, len(images), size)
        batches = (self._classify(images[i : i + size], prompts[i : i + size]) for i in starts)
        return [labels for batch in batches for labels in batch]

    @abstractmethod
    def _classify(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Label]]:
        """Return the labels of each image of one batch, one for every attribute that it can tell."""


def label_of(
    attribute: str, scores: dict[str, float], margin: float = 0.0, groups: Collection[str] | None = None
) -> Label:
    """Return the best score's label; unknown where its lead is below `margin` or it is none of `groups`."""
    best, *others = sorted(scores, key=lambda group: scores[group], reverse=True)
    close = bool(others) and scores[best] - scores[others[0]] < margin
    declared = groups is None or best in groups or best in (UNKNOWN, NO_FACE)
    label = best if declared and not close else UNKNOWN
    return Label(attribute, label, scores[best], scores)
