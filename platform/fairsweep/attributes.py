"""What a sweep looks at: attributes, their declared groups, and the share that each group is meant to have."""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._-]+$")]
# What is counted beside the groups, and can be the name of none.
NO_FACE, UNKNOWN, FAILED = NO_GROUPS = ("no_face", "unknown", "failed")
# Stands for the whole picture where a classifier names an attribute.
WHOLE_IMAGE = "_image"


def _attribute_name(name: str) -> str:
    if name == WHOLE_IMAGE:
        raise ValueError("this stands for the whole image: choose another name")
    return name


AttributeName = Annotated[Name, AfterValidator(_attribute_name)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def silent(value: Any) -> bool:
    """Tell whether a key says nothing: such a one is left out of the resolved spec."""
    return value is None


class Frozen(BaseModel):
    """Forbid change and unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class GroupSpec(Frozen):
    """One declared group of an attribute: its text for guidance and zero-shot labels, and its target share."""

    text: str = Field(min_length=1)
    target: Share


class AttributeSpec(Frozen):
    """The declared groups of one attribute; targets are uniform where the spec is silent and sum to 1."""

    groups: dict[Name, GroupSpec]

    @classmethod
    def declare(
        cls, groups: Mapping[str, str] | Iterable[str], targets: Mapping[str, float] | None = None
    ) -> "AttributeSpec":
        """Declare groups: name -> text, or names that are their own texts.

        targets: group -> share; the same share for each group where silent.
        """
        texts = dict(groups) if isinstance(groups, Mapping) else {name: name for name in groups}
        shares = targets or dict.fromkeys(texts, 1 / len(texts))
        return cls(groups={name: GroupSpec(text=text, target=shares.get(name, 0)) for name, text in texts.items()})

    @field_validator("groups")
    @classmethod
    def _check(cls, groups):
        if len(groups) < 2:
            raise ValueError("an attribute needs at least two groups")
        if taken := [name for name in groups if name in NO_GROUPS]:
            raise ValueError(f"{taken[0]!r} stands for what is no group: choose another name")
        total = math.fsum(group.target for group in groups.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the target shares sum to {total:g}, not to 1")
        return groups

    @property
    def texts(self) -> dict[str, str]:
        """Return each group's text."""
        return {name: group.text for name, group in self.groups.items()}

    @property
    def target(self) -> dict[str, float]:
        """Return each group's target share (they sum to 1)."""
        return {name: group.target for name, group in self.groups.items()}


Attributes = Mapping[str, AttributeSpec]
