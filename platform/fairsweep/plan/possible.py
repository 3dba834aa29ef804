"""Refuse, before a run starts, what could only fail or do nothing in it."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from fairsweep.errors import SpecError
from fairsweep.guidance.concepts import Conditioning, Edit
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec

# Schedulers of diffusers that another package computes; without it diffusers shows an empty class of that name.
EXTRA_PACKAGES = {
    "CosineDPMSolverMultistepScheduler": "torchsde",
    "DPMSolverSDEScheduler": "torchsde",
    "LMSDiscreteScheduler": "scipy",
}
QUANTIZERS = {"int8": "torchao", "fp8": "torchao", "nf4": "bitsandbytes"}


def check_possible(spec: SweepSpec, here: bool = True) -> None:
    """Raise SpecError for a package that is lacking, and a strength or setting that no step is left to.

    here: this machine's packages are those of the run. Nothing of a model is read, nothing heavy imported.
    """
    for model in spec.models:
        if model.steps_taken < 1:
            raise SpecError(
                f"model {model.name}: strength {model.strength} of {model.steps} steps leaves none: give more of either"
            )
        # With an environment of its own a cluster may hold what this machine lacks.
        if here and not spec.run.runtime_env:
            _check_packages(model)
    for setting, asked in _conditionings(spec):
        for model in spec.models:
            steps = model.steps_taken
            edit = asked.counted(steps).edit
            if edit is not None and not acts(edit, steps):
                first = min(concept.warmup_steps for concept in edit.concepts)
                raise SpecError(
                    f"setting {setting.name} steers no step of model {model.name}: warm-up {first} of {steps} steps: "
                    "give fewer warmup_steps, a later cool-down, or more steps"
                )


def check_folders(models: Sequence[ModelSpec]) -> None:
    """Raise SpecError for a model's folder or file that is not there, where actors are on this machine."""
    for model in models:
        if os.path.isabs(model.source) and not os.path.exists(model.source):
            raise SpecError(
                f"model {model.name}: there is no {model.source}: give a diffusers folder, a .safetensors file or a "
                "Hub id"
            )


def steers(spec: SweepSpec) -> bool:
    """Tell whether some setting edits what the denoiser predicts."""
    return any(asked.edit is not None for _, asked in _conditionings(spec))


def _conditionings(spec: SweepSpec) -> Iterator[tuple[GuidanceSpec, Conditioning]]:
    """Yield each setting with what it makes of one prompt and one direction."""
    prompt = spec.prompts.expand()[0].text
    for setting in spec.guidance:
        steered = setting.steered(spec.attributes) if setting.uses_direction else {}
        direction = {name: next(iter(attribute.groups)) for name, attribute in steered.items()}
        yield setting, setting.build(spec.attributes, spec.prompts.negative_prompt)(prompt, direction)


def acts(edit: Edit, steps: int) -> bool:
    """Tell whether an edit can change an image of so many steps."""
    return any(
        concept.warmup_steps < steps and (edit.has_momentum or not concept.cooled(concept.warmup_steps))
        for concept in edit.concepts
    )


def _check_packages(model: ModelSpec) -> None:
    quantizer = QUANTIZERS.get(model.quantize or "")
    if quantizer and find_spec(quantizer) is None:
        raise SpecError(
            f"model {model.name}: quantize {model.quantize} needs the package {quantizer}: pip install "
            "'fairsweep[quantize]'"
        )
    package = EXTRA_PACKAGES.get(model.scheduler or "")
    if package and find_spec(package) is None:
        raise SpecError(
            f"model {model.name}: {model.scheduler} needs the package {package}: pip install {package}, "
            "or take another scheduler"
        )
