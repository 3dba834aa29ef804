"""A sweep as frozen, validated data, read from YAML."""

from fairsweep.spec.images import ImagesSpec
from fairsweep.spec.plugins import CalibrateSpec, ClassifierSpec, GuidanceSpec
from fairsweep.spec.prompts import Prompt, PromptsSpec
from fairsweep.spec.reading import load_spec
from fairsweep.spec.spec import LabelSpec, ModelSpec, RunSpec, SweepSpec

__all__ = [
    "CalibrateSpec",
    "ClassifierSpec",
    "GuidanceSpec",
    "ImagesSpec",
    "LabelSpec",
    "ModelSpec",
    "Prompt",
    "PromptsSpec",
    "RunSpec",
    "SweepSpec",
    "load_spec",
]
