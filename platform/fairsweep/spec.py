"""A sweep as frozen, validated data: what to generate, how to guide it, who looks at it, and on what machines."""

import hashlib
import math
import re
from collections import Counter
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from fairsweep.spec_errors import below, check_known, mistake, near
from fairsweep.spec_expand import expand_sweep

Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._-]+$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Frozen(BaseModel):
    """Forbid change and unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelSpec(Frozen):
    """One text-to-image model at one set of sampling options."""

    name: Name
    source: str = Field(
        min_length=1, description="builtin:portraits, a Hub id, a diffusers folder or a .safetensors file"
    )
    revision: str | None = None
    config: str | None = Field(
        default=None, description="of a .safetensors file: a folder or Hub id with its configuration; silent: the Hub's"
    )
    pipeline: str = "auto"
    scheduler: str | None = None
    steps: int = Field(default=30, ge=1, le=1000)
    guidance_scale: float = Field(default=7.0, ge=0, allow_inf_nan=False)
    width: int | None = Field(default=None, ge=8, description="pixels; the model's own size where silent")
    height: int | None = Field(default=None, ge=8, description="pixels; the model's own size where silent")
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    compile: bool = False


class Prompt(Frozen):
    """One text to draw, the short name it goes by, and the values of the template's variables."""

    text: str
    name: str
    variables: dict[str, str]


class PromptsSpec(Frozen):
    """A template with the values of its variables, or a plain list of texts."""

    template: str | None = None
    variables: dict[str, tuple[str, ...]] = {}
    texts: tuple[str, ...] = ()
    negative_prompt: str = ""

    @model_validator(mode="after")
    def _check(self):
        if (self.template is None) == (not self.texts):
            raise ValueError("give either a template with variables or a non-empty list of texts")
        asked = list(dict.fromkeys(re.findall(r"{(\w+)}", self.template or "")))
        for name in asked:
            if not self.variables.get(name):
                raise ValueError(f"template variable {name!r} has no values: add them under prompts.variables")
        for name in self.variables:
            if name not in asked:
                raise ValueError(f"variable {name!r} does not stand in the template")
        for name, count in Counter(prompt.name for prompt in self.expand()).items():
            if count > 1:
                raise ValueError(f"prompt {name!r} is given twice")
        return self

    def expand(self) -> list[Prompt]:
        """Return every prompt: the product of the variables' values, or the plain texts."""
        if self.template is None:
            return [Prompt(text=text, name=text, variables={}) for text in self.texts]
        prompts = []
        for values in product(*self.variables.values()):
            chosen = dict(zip(self.variables, values, strict=True))
            text = re.sub(r"{(\w+)}", lambda match, chosen=chosen: chosen[match[1]], self.template)
            prompts.append(Prompt(text=text, name=", ".join(values) or text, variables=chosen))
        return prompts


class GroupSpec(Frozen):
    """One declared group of an attribute: its text for guidance and zero-shot labels, and its target share."""

    text: str = Field(min_length=1)
    target: Share


class AttributeSpec(Frozen):
    """The declared groups of one attribute; targets are uniform where the spec is silent and sum to 1."""

    groups: dict[Name, GroupSpec]

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("groups"), dict | list):
            return data
        groups, target = data["groups"], data.get("target")
        if isinstance(groups, list):
            groups = {str(group): str(group) for group in groups}
        if target is not None and not isinstance(target, dict):
            raise ValueError("target must be a mapping of group to share, such as {female: 0.5, male: 0.5}")
        for group in target or {}:
            if group not in groups:
                raise mistake(f"no such group{near(group, groups)}", "target", group)
        rest = {key: value for key, value in data.items() if key not in ("groups", "target")}
        full = {}
        for group, value in groups.items():
            text = value.get("text") if isinstance(value, dict) else value
            share = (value.get("target") if isinstance(value, dict) else None) if target is None else None
            if target is not None:
                share = target.get(group, 0.0)
            extra = {k: v for k, v in value.items() if k not in ("text", "target")} if isinstance(value, dict) else {}
            full[group] = {"text": text, "target": share, **extra}
        given = [group for group in full.values() if group["target"] is not None]
        for group in full.values():
            if group["target"] is None:
                group["target"] = 1 / len(full) if not given else 0.0
        return {"groups": full, **rest}

    @field_validator("groups")
    @classmethod
    def _check(cls, groups):
        if len(groups) < 2:
            raise ValueError("an attribute needs at least two groups")
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


class GuidanceSpec(Frozen):
    """One setting: a guidance method, the attributes it steers, and the method's own parameters."""

    name: Name
    method: str
    attributes: tuple[str, ...] = ()
    params: dict[str, Any] = {}

    @model_validator(mode="after")
    def _resolve(self):
        from fairsweep.guidance import get_method

        kind = get_method(self.method).Params
        check_known(self.params, kind, ("name", "attributes"))
        params = kind(**self.params)
        object.__setattr__(self, "params", params.model_dump(mode="json"))
        return self


class ClassifierSpec(Frozen):
    """One classifier under the name its labels are stored by, with the classifier's own parameters."""

    name: Name
    kind: str
    params: dict[str, Any] = {}

    @model_validator(mode="after")
    def _resolve(self):
        from fairsweep.classifiers import get_classifier

        kind = get_classifier(self.kind).Params
        check_known(self.params, kind, ("name",))
        params = kind(**self.params)
        object.__setattr__(self, "params", params.model_dump(mode="json"))
        return self


class RunSpec(Frozen):
    """How the sweep runs; nothing here changes what an image shows."""

    batch_size: int = Field(default=16, ge=1, le=4096)
    actors: int | None = Field(default=None, ge=1, description="as many as the cluster has room for where silent")
    gpus_per_actor: float | None = Field(default=None, ge=0, description="1 where there is a GPU, else 0")
    cpus_per_actor: float | None = Field(default=None, gt=0)
    classifier_gpus: float = Field(default=0, ge=0, description="above 0: classifiers get actors of their own")
    max_consecutive_failures: int = Field(default=64, ge=1)


class SweepSpec(Frozen):
    """Everything one sweep is; the same spec always plans the same images."""

    name: Name
    notes: str | None = None
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    prompts: PromptsSpec
    attributes: dict[Name, AttributeSpec] = Field(min_length=1)
    guidance: tuple[GuidanceSpec, ...] = Field(min_length=1)
    classifiers: tuple[ClassifierSpec, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = Field(min_length=1)
    direction_seed: int = Field(default=0, description="shuffles which seed is steered to which group")
    run: RunSpec = RunSpec()

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        return expand_sweep(data)[0] if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _check(self):
        for key, items in (
            ("models", self.models),
            ("guidance", self.guidance),
            ("classifiers", self.classifiers),
        ):
            seen = set()
            for index, item in enumerate(items):
                if item.name in seen:
                    raise mistake(f"the name {item.name!r} is given twice", key, index, "name")
                seen.add(item.name)
        if len(set(self.seeds)) < len(self.seeds):
            raise mistake("a seed is given twice", "seeds")
        for index, setting in enumerate(self.guidance):
            for attribute in setting.attributes:
                if attribute not in self.attributes:
                    hint = near(attribute, self.attributes)
                    raise mistake(f"attribute {attribute!r} is not declared{hint}", "guidance", index, "attributes")
        check_params(self)
        check_classifiers(self)
        return self

    @property
    def fingerprint(self) -> str:
        """Return a short hash of the whole resolved spec."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()


def check_params(spec: SweepSpec) -> None:
    """Refuse parameters of a method or a classifier that do not fit the declared attributes."""
    from fairsweep.classifiers import get_classifier
    from fairsweep.guidance import get_method

    for index, setting in enumerate(spec.guidance):
        method = get_method(setting.method)
        with below("guidance", index):
            method.check(method.Params(**setting.params), {name: spec.attributes[name] for name in setting.attributes})
    for index, classifier in enumerate(spec.classifiers):
        kind = get_classifier(classifier.kind)
        with below("classifiers", index):
            kind.check(kind.Params(**classifier.params), spec.attributes)


def check_classifiers(spec: SweepSpec) -> None:
    """Refuse an attribute or a group that no classifier of the sweep knows."""
    from fairsweep.classifiers import get_classifier

    known = [get_classifier(c.kind).known_groups(get_classifier(c.kind).Params(**c.params)) for c in spec.classifiers]
    if any(groups is None for groups in known):
        return
    for attribute, declared in spec.attributes.items():
        groups = {group for by_attribute in known for group in by_attribute.get(attribute, ())}
        names = {name for by_attribute in known for name in by_attribute}
        if not groups:
            raise mistake(
                f"no classifier knows the attribute {attribute!r}{near(attribute, names)}",
                "attributes",
                attribute,
            )
        for group in declared.groups:
            if group not in groups:
                message = f"no classifier knows the group {group!r} of {attribute}{near(group, groups)}"
                raise mistake(message, "attributes", attribute, "groups", group)
