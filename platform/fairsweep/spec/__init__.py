"""A sweep as frozen, validated data, read from YAML."""

from fairsweep.spec.reading import load_spec
from fairsweep.spec.spec import (
    ClassifierSpec,
    GuidanceSpec,
    LabelSpec,
    ModelSpec,
    Prompt,
    PromptsSpec,
    RunSpec,
    SweepSpec,
)

__all__ = [
    "ClassifierSpec",
    "GuidanceSpec",
    "LabelSpec",
    "ModelSpec",
    "Prompt",
    "PromptsSpec",
    "RunSpec",
    "SweepSpec",
    "load_spec",
]
