"""What a sweep asks of a guidance method or a classifier: which one, its parameters, and how it is built."""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, Field, FiniteFloat, ValidationError, ValidationInfo, field_validator

from fairsweep.attributes import AttributeSpec, Frozen, Name, silent
from fairsweep.classifiers import Classifier, get_classifier
from fairsweep.guidance.concepts import Conditioning
from fairsweep.methods import get_method
from fairsweep.mistakes import check_known, first_mistake, mistake

# Pilots have seeds of their own, from this one on, so that no image of theirs is one of the result's.
FIRST_PILOT_SEED = 2**62


class CalibrateSpec(Frozen):
    """A pilot, per prompt and attribute: what is shown when steered to each group; see docs/rounds.md."""

    pilot: int = Field(default=32, ge=4, le=10_000, description="images steered to each group, at each scale tried")
    tolerance: float = Field(default=0.03, gt=0, lt=1, description="how far from its target a share may be")
    scales: tuple[FiniteFloat, ...] = Field(
        default=(),
        description="edit scales to try, the gentlest that reaches is taken; silent: the setting's own alone",
    )

    @field_validator("scales")
    @classmethod
    def _rising(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(scales)):
            raise ValueError("name each scale once, the gentlest first")
        return scales


class GuidanceSpec(Frozen):
    """One setting: a guidance method, the attributes it steers, and the method's own parameters."""

    name: Name = Field(description="silent: the method's")
    method: str = Field(description="one of those below, or a class of your own as my_module:MyMethod")
    attributes: tuple[str, ...] = Field(default=(), description="those that it steers; silent: all")
    params: dict[str, Any] = Field(default={}, validate_default=True)
    # Out of the resolved spec while silent, so that the fingerprints of older specs stay.
    calibrate: CalibrateSpec | None = Field(
        default=None,
        exclude_if=silent,
        description="find, from a pilot, how often to steer to each group to show the target: see docs/rounds.md",
    )

    apply: Literal["all", "biased"] = Field(
        default="all",
        exclude_if=lambda value: value == "all",
        description="biased: steer only prompts that a pilot finds off their target beyond chance, see docs/rounds.md",
    )
    pilot: int | None = Field(
        default=None,
        ge=8,
        le=100_000,
        exclude_if=silent,
        description="with apply: biased, unguided images of each prompt that decide, and count for nothing else; "
        "silent: 32",
    )

    @field_validator("method")
    @classmethod
    def _exists(cls, method: str) -> str:
        get_method(method)
        return method

    @field_validator("params")
    @classmethod
    def _resolve(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "method" not in info.data:
            return params
        return resolved(
            params, get_method(info.data["method"]).Params, ("name", "attributes", "apply", "pilot", "calibrate")
        )

    @property
    def pilot_seeds(self) -> int:
        """Return how many unguided images of each prompt decide where the setting steers."""
        return (self.pilot or 32) if self.apply == "biased" else 0

    def calibrated_seeds(self, declared: Mapping[str, AttributeSpec]) -> int:
        """Return how many images of each prompt a pilot of the calibration steers: every group of every attribute."""
        if not self.calibrate:
            return 0
        return self.calibrate.pilot * max(len(declared[name].groups) for name in self.attributes)

    def pilots(self, declared: Mapping[str, AttributeSpec]) -> int:
        """Return how many images of each prompt count for no result at most, at all scales tried."""
        rungs = max(1, len(self.calibrate.scales)) if self.calibrate else 0
        return self.pilot_seeds + rungs * self.calibrated_seeds(declared)

    @property
    def uses_direction(self) -> bool:
        """Tell whether the method steers each image to a group of its own."""
        return get_method(self.method).uses_direction

    def steered(self, declared: Mapping[str, AttributeSpec]) -> dict[str, AttributeSpec]:
        """Return the declared attributes that the setting steers."""
        return {name: declared[name] for name in self.attributes}

    def check(self, declared: Mapping[str, AttributeSpec]) -> None:
        """Refuse parameters that do not fit the declared attributes."""
        method = get_method(self.method)
        method.check(method.Params(**self.params), self.steered(declared))
        if self.apply == "all" and self.pilot is not None:
            raise mistake("only apply: biased has a pilot", "pilot")
        if self.apply == "biased" and not self.uses_direction:
            raise mistake(f"{self.method} steers no image to a group", "apply")
        if self.calibrate:
            if not self.uses_direction:
                raise mistake(f"{self.method} steers no image to a group: there is no quota to find", "calibrate")
            if self.calibrate.scales and "scale" not in self.params:
                raise mistake(f"{self.method} has no scale to choose", "calibrate", "scales")

    def at(self, scales: Mapping[str, float] | None) -> "GuidanceSpec":
        """Return the setting at these edit scales of its attributes; itself where there are none."""
        if not scales:
            return self
        return self.model_copy(update={"params": {**self.params, "scale": dict(scales)}})

    def build(
        self, declared: Mapping[str, AttributeSpec], negative_prompt: str = ""
    ) -> Callable[[str, dict[str, str]], Conditioning]:
        """Return the function (prompt, direction) -> Conditioning of this setting.

        direction: attribute -> the group that the image is steered to.
        """
        method = get_method(self.method)
        params, attributes = method.Params(**self.params), self.steered(declared)

        def condition(prompt: str, direction: dict[str, str]) -> Conditioning:
            return method.condition(prompt, negative_prompt, direction, attributes, params)

        return condition


class ClassifierSpec(Frozen):
    """One classifier under the name its labels are stored by, with the classifier's own parameters."""

    name: Name = Field(description="under which its labels are stored; silent: the kind")
    kind: str = Field(description="one of those below, or a class of your own as my_module:MyClassifier")
    params: dict[str, Any] = Field(default={}, validate_default=True)

    @field_validator("kind")
    @classmethod
    def _exists(cls, kind: str) -> str:
        get_classifier(kind)
        return kind

    @field_validator("params")
    @classmethod
    def _resolve(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "kind" not in info.data:
            return params
        return resolved(params, get_classifier(info.data["kind"]).Params, ("name",))

    @property
    def known_groups(self) -> dict[str, tuple[str, ...]] | None:
        """Return attribute -> the groups that it can tell; None: any declared one."""
        kind = get_classifier(self.kind)
        return kind.known_groups(kind.Params(**self.params))

    def check(self, declared: Mapping[str, AttributeSpec]) -> None:
        """Refuse parameters that do not fit the declared attributes."""
        kind = get_classifier(self.kind)
        kind.check(kind.Params(**self.params), dict(declared))

    def build(self, declared: Mapping[str, AttributeSpec], device: str = "cpu") -> Classifier:
        """Return the classifier with its weights loaded onto a device; raises ModelLoadError."""
        kind = get_classifier(self.kind)
        return kind(kind.Params(**self.params), dict(declared), device)


def resolved(params: dict[str, Any], kind: type[BaseModel], own: Iterable[str]) -> dict[str, Any]:
    """Return the parameters with every default of `kind` filled in; refuse those that it does not have."""
    check_known(params, kind, own)
    try:
        return kind(**params).model_dump(mode="json")
    except ValidationError as error:
        loc, message = first_mistake(error, kind)
        raise mistake(message, *loc) from None
