"""What an audit of encoders asks: which encoders, of what stimuli, with which tests."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from fairsweep.attributes import Frozen, Name
from fairsweep.classifiers.templates import TEMPLATES, Templates
from fairsweep.errors import near
from fairsweep.mistakes import check_names, mistake

KINDS = ("words", "images", "embeddings", "sql")


class StimulusSpec(Frozen):
    """One set of stimuli, given in one way."""

    words: tuple[str, ...] | None = Field(default=None, min_length=1, description="words, put into the templates")
    images: str | None = Field(default=None, description="a folder of images")
    embeddings: str | None = Field(default=None, description="a .csv, .npy or .parquet file, a row a stimulus")
    sql: str | None = Field(
        default=None,
        description="a SELECT over the store; its first column holds texts, encoded pictures or embeddings",
    )
    source: str | None = Field(default=None, description="where the set comes from")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"give one of {', '.join(KINDS)}")
        return self


class AssociationTestSpec(Frozen):
    """Whether the set x lies nearer to a than to b, compared with y; each is the name of a set of stimuli."""

    name: Name = Field(description="what its rows go by")
    x: str = Field(description="the first set of targets")
    y: str = Field(description="the second set of targets")
    a: str = Field(description="the first set of attributes")
    b: str = Field(description="the second set of attributes")
    source: str | None = Field(default=None, description="where the test comes from")


class EncoderSpec(Frozen):
    """An open_clip model, or the text encoders of a model of the sweep."""

    name: Name = Field(description="what its rows go by")
    kind: Literal["open_clip", "pipeline"] = Field(description="an open_clip model, or a pipeline's text encoders")
    model: str = Field(description="open_clip's name of a model, or the name of a model of the sweep")
    pretrained: str | None = Field(default=None, description="the tag or checkpoint of an open_clip architecture")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "pipeline" and self.pretrained:
            raise ValueError("a pipeline has its own weights: leave `pretrained` out")
        return self


class EncoderAuditSpec(Frozen):
    """Encoders, stimuli and tests; each prompt's association with each group comes without being asked for."""

    encoders: tuple[EncoderSpec, ...] = Field(
        default=(), description="silent: the sweep's open_clip classifiers, and the text encoders of its models"
    )
    templates: Templates = Field(default=TEMPLATES, description="what a group's text is put into")
    stimuli: dict[Name, StimulusSpec] = Field(default={}, description="sets of one's own, beside those that ship")
    groups: dict[Name, dict[Name, tuple[str, ...]]] = Field(
        default={}, description="attribute -> group -> its sets of stimuli; without words the group's own text"
    )
    tests: tuple[AssociationTestSpec | str, ...] = Field(
        default=(), description="tests of one's own, or the name of one that ships"
    )
    seed: int = Field(default=0, ge=0, description="draws the partitions where they are too many to go through")

    def check(self, attributes: dict[str, Any], models: list[str]) -> None:
        """Refuse groups that are not declared, models that are not of the sweep, and names given twice."""
        check_names("encoders", self.encoders)
        for index, encoder in enumerate(self.encoders):
            if encoder.kind == "pipeline" and encoder.model not in models:
                raise mistake(f"no model {encoder.model!r}{near(encoder.model, models)}", "encoders", index, "model")
        for attribute, groups in self.groups.items():
            if attribute not in attributes:
                hint = near(attribute, attributes)
                raise mistake(f"attribute {attribute!r} is not declared{hint}", "groups", attribute)
            for group in groups:
                if group not in attributes[attribute].groups:
                    hint = near(group, attributes[attribute].groups)
                    raise mistake(f"no such group of {attribute}{hint}", "groups", attribute, group)
            if missing := [group for group in attributes[attribute].groups if group not in groups]:
                raise mistake(f"{missing[0]!r} is missing: name sets for every group", "groups", attribute)
