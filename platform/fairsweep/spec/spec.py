"""A sweep as frozen, validated data: what to generate, how to guide it, who looks at it, and on what machines."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fairsweep.attributes import AttributeName, AttributeSpec, Frozen, Name, silent
from fairsweep.errors import near
from fairsweep.measure.requirements import Requirement
from fairsweep.mistakes import below, check_names, mistake
from fairsweep.pipelines.names import steps_taken
from fairsweep.spec.data import DataSpec
from fairsweep.spec.encoder import EncoderAuditSpec
from fairsweep.spec.expand import expand_sweep
from fairsweep.spec.images import ImagesSpec
from fairsweep.spec.plugins import FIRST_PILOT_SEED, ClassifierSpec, GuidanceSpec
from fairsweep.spec.prompts import PromptsSpec
from fairsweep.spec.sampling import SamplingSpec
from fairsweep.spec.size import MOST_IMAGES

_SIZE = "pixels, in steps of 8; the model's own size where silent"


class ModelSpec(Frozen):
    """One text-to-image model at one set of sampling options."""

    name: Name = Field(description="silent: what the source ends in")
    source: str = Field(
        min_length=1, description="builtin:portraits, a Hub id, a diffusers folder or a .safetensors file"
    )
    revision: str | None = Field(default=None, description="of a Hub id: a commit, tag or branch")
    config: str | None = Field(
        default=None, description="of a .safetensors file: a folder or Hub id with its configuration; silent: the Hub's"
    )
    pipeline: str = Field(default="auto", description="diffusers' class; auto: what the model itself says")
    scheduler: str | None = Field(default=None, description="diffusers' class; silent: the model's own")
    steps: int = Field(default=30, ge=1, le=1000, description="denoising steps of an image")
    guidance_scale: float = Field(
        default=7.0, ge=0, allow_inf_nan=False, description="of classifier-free guidance; 1 or less: none"
    )
    width: int | None = Field(default=None, ge=8, le=16_384, multiple_of=8, description=_SIZE)
    height: int | None = Field(default=None, ge=8, le=16_384, multiple_of=8, description=_SIZE)
    dtype: Literal["float32", "float16", "bfloat16", "tf32"] = Field(
        default="float32", description="tf32: float32 whose products a card rounds, faster from Ampere on"
    )
    compile: bool = Field(default=False, description="compile the denoiser: pays off in long sweeps")
    # Out of the resolved spec while silent, so that the fingerprints of older specs stay.
    variant: str | None = Field(
        default=None, exclude_if=silent, description="of the weights' files, where a repository holds fp16 ones alone"
    )
    quantize: Literal["int8", "fp8", "nf4"] | None = Field(
        default=None, exclude_if=silent, description="weights of the denoiser and the text encoders: other pictures"
    )
    offload: Literal["model", "sequential"] | None = Field(
        default=None, exclude_if=silent, description="parts that do not compute wait on the host: the same pictures"
    )
    strength: float | None = Field(
        default=None,
        gt=0,
        le=1,
        exclude_if=silent,
        description="with images: how much of a source picture is noised and drawn anew; silent: the pipeline's own",
    )
    rewrite: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="let the model's own rewriter (ERNIE-Image, LongCat-Image) word each prompt anew; the text is "
        "stored as the image's prompt",
    )

    @property
    def steps_taken(self) -> int:
        """Return how many of the steps an image takes: from a source picture, the last ones that `strength` leaves."""
        return steps_taken(self)


# What of Ray's runtime environment is the spec's to ask for; the rest follows from what is submitted.
RUNTIME_FIELDS = ("pip", "uv", "conda", "image_uri", "env_vars", "config")


class RunSpec(Frozen):
    """How the sweep runs; nothing here changes what an image shows."""

    batch_size: int = Field(
        default=16, ge=1, le=4096, description="images made in one call, halved where they do not fit"
    )
    actors: int | None = Field(default=None, ge=1, description="as many as the cluster has room for where silent")
    gpus_per_actor: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="1 where there is a GPU, else 0; an actor computes on one card at most",
    )
    cpus_per_actor: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="what Ray sets aside, and the threads without a GPU"
    )
    classifier_gpus: float = Field(
        default=0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="above 0: classifiers get actors of their own, with so much of a card each",
    )
    max_consecutive_failures: int = Field(default=64, ge=1, description="after so many in a row the run stops")
    # Out of the resolved spec while silent, so that the fingerprints of older specs stay.
    runtime_env: dict[str, Any] | None = Field(
        default=None,
        exclude_if=silent,
        description="of Ray, for `fairsweep submit`: pip, uv, conda, env_vars, config; or image_uri, whose image holds "
        "the folder, which is not uploaded then",
    )

    @field_validator("runtime_env")
    @classmethod
    def _check_runtime_env(cls, runtime_env: dict[str, Any] | None) -> dict[str, Any] | None:
        for name in runtime_env or ():
            if name not in RUNTIME_FIELDS:
                raise ValueError(f"unknown key {name!r}{near(name, RUNTIME_FIELDS)}")
        variables = (runtime_env or {}).get("env_vars", {})
        if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
            raise ValueError("env_vars takes names with texts: put numbers and such in quotes")
        return runtime_env


class LabelSpec(Frozen):
    """Who reads which declared attributes off images that exist, and on what machines."""

    attributes: dict[AttributeName, AttributeSpec] = Field(min_length=1)
    classifiers: tuple[ClassifierSpec, ...] = Field(min_length=1)
    run: RunSpec = RunSpec()

    @model_validator(mode="after")
    def _check(self):
        check_names("classifiers", self.classifiers)
        check_classifiers(self.classifiers, self.attributes)
        return self


class SweepSpec(Frozen):
    """Everything one sweep is; the same spec always plans the same images."""

    name: Name = Field(description="what the sweep is called, in every command and table")
    notes: str | None = Field(default=None, description="a sentence for the report and MLflow")
    models: tuple[ModelSpec, ...] = Field(min_length=1, description="who draws")
    prompts: PromptsSpec = Field(description="what is drawn: a list of texts, or a template")
    images: ImagesSpec | None = Field(
        default=None,
        exclude_if=silent,
        description="pictures to edit: image to image, or by instruction",
    )
    attributes: dict[AttributeName, AttributeSpec] = Field(min_length=1, description="what is looked at, by name")
    guidance: tuple[GuidanceSpec, ...] = Field(min_length=1, description="the settings, with and without guidance")
    classifiers: tuple[ClassifierSpec, ...] = Field(min_length=1, description="who looks")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = Field(
        min_length=1, description="a count, a list, or {start, count}: the same for every prompt and setting"
    )
    sampling: SamplingSpec | None = Field(
        default=None,
        exclude_if=silent,
        description="in the place of seeds: each prompt gets as many as its verdict takes",
    )
    references: tuple[Name, ...] | None = Field(
        default=None,
        description="the references of the store that the sweep is compared with; silence: those known of its models",
    )
    allow_skew: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="a target that is farther from parity than the unguided model on most prompts is meant",
    )
    direction_seed: int = Field(default=0, description="shuffles which seed is steered to which group")
    run: RunSpec = Field(default=RunSpec(), description="on what machines; nothing here changes an image")
    # What is audited beside the images is out of the resolved spec while silent: the fingerprints of older specs stay.
    data: tuple[DataSpec, ...] = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="the training data that `fairsweep audit data` looks at",
    )
    encoder: EncoderAuditSpec | None = Field(
        default=None,
        exclude_if=silent,
        description="what `fairsweep audit encoder` looks at; silent: this sweep's encoders, prompts and groups",
    )
    require: tuple[Requirement, ...] = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="what the sweep must show to pass: see `fairsweep check`",
    )

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any, info: ValidationInfo) -> Any:
        """Write the short forms out; who passes `origins` in the context learns where each list item was written."""
        if not isinstance(data, dict):
            return data
        context = info.context or {}
        expanded, origins = expand_sweep(data, context.get("most_images", MOST_IMAGES))
        context.get("origins", {}).update(origins)
        return expanded

    @model_validator(mode="after")
    def _check(self):
        for key in ("models", "guidance", "classifiers"):
            check_names(key, getattr(self, key))
        for index, model in enumerate(self.models):
            if model.strength is not None and self.images is None:
                raise mistake(
                    "strength is of source pictures: add images, or leave it out", "models", index, "strength"
                )
        if len(set(self.seeds)) < len(self.seeds):
            raise mistake("a seed is given twice", "seeds")
        if self.sampling and self.images:
            raise mistake(
                "sampling looks seed by seed, and each source picture has noise of its own: give seeds", "sampling"
            )
        for index, setting in enumerate(self.guidance):
            if not (setting.calibrate or setting.pilot_seeds):
                continue
            if self.images:
                key = "calibrate" if setting.calibrate else "apply"
                raise mistake("pilots draw from noise, and this sweep edits pictures", "guidance", index, key)
            if max(self.seeds) >= FIRST_PILOT_SEED:
                raise mistake(f"seeds from {FIRST_PILOT_SEED} on are those of pilots: take smaller ones", "seeds")
        if self.sampling and len(self.seeds) != self.sampling.most:
            message = f"sampling.most says {self.sampling.most}: leave seeds out, or give as many"
            raise mistake(f"{len(self.seeds)} seeds, and {message}", "seeds")
        for index, setting in enumerate(self.guidance):
            for attribute in setting.attributes:
                if attribute not in self.attributes:
                    hint = near(attribute, self.attributes)
                    raise mistake(f"attribute {attribute!r} is not declared{hint}", "guidance", index, "attributes")
        for index, setting in enumerate(self.guidance):
            with below("guidance", index):
                setting.check(self.attributes)
        check_classifiers(self.classifiers, self.attributes)
        check_names("data", self.data)
        for index, data in enumerate(self.data):
            for attribute, groups in data.group_words.items():
                if attribute not in self.attributes:
                    hint = near(attribute, self.attributes)
                    raise mistake(f"attribute {attribute!r} is not declared{hint}", "data", index, "group_words")
                for group in groups:
                    if group not in self.attributes[attribute].groups:
                        hint = near(group, self.attributes[attribute].groups)
                        raise mistake(f"no such group of {attribute}{hint}", "data", index, "group_words", attribute)
        if self.encoder:
            with below("encoder"):
                self.encoder.check(self.attributes, [model.name for model in self.models])
        for index, requirement in enumerate(self.require):
            with below("require", index):
                requirement.check(
                    self.attributes,
                    *([each.name for each in items] for items in (self.models, self.guidance, self.classifiers)),
                )
        return self

    @model_validator(mode="after")
    def _check_size(self, info: ValidationInfo):
        """Refuse more images than may be planned where pilots come on top, which the count from the text leaves out."""
        pilots = sum(setting.pilots(self.attributes) for setting in self.guidance)
        if not pilots:
            return self
        most = (info.context or {}).get("most_images", MOST_IMAGES)
        places = len(self.models) * len(self.prompts.expand())
        total = places * (len(self.guidance) * len(self.seeds) + pilots)
        if total > most:
            message = f"this plans {total:,} images, pilots and all ({pilots:,} a prompt), more than {most:,}"
            raise mistake(f"{message}: --most-images lifts the bound", "guidance")
        return self

    @property
    def fingerprint(self) -> str:
        """Return a short hash of the whole resolved spec, but for what it requires: that changes no result."""
        left_out = {"require"} | ({"references"} if self.references is None else set())
        return hashlib.blake2b(self.model_dump_json(exclude=left_out).encode(), digest_size=8).hexdigest()


def check_classifiers(classifiers: Iterable[ClassifierSpec], attributes: Mapping[str, AttributeSpec]) -> None:
    """Refuse parameters that do not fit the attributes, and an attribute or a group that no classifier knows."""
    for index, classifier in enumerate(classifiers):
        with below("classifiers", index):
            classifier.check(attributes)
    known = [classifier.known_groups for classifier in classifiers]
    if any(groups is None for groups in known):
        return
    for attribute, declared in attributes.items():
        groups = {group for by_attribute in known for group in (by_attribute or {}).get(attribute, ())}
        names = {name for by_attribute in known for name in by_attribute or ()}
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
