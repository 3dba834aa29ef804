"""Every error of the hierarchy says the same on the other side of a process border."""

import pickle
import re
from importlib import import_module
from pathlib import Path

import pytest

import fairsweep
from fairsweep import errors


def every_error() -> list[type[errors.FairsweepError]]:
    """Return the hierarchy's classes, wherever in the package they stand."""
    package = Path(fairsweep.__file__).parent
    for path in package.rglob("*.py"):
        if re.search(r"^class \w+Error\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            import_module(".".join(("fairsweep", *path.relative_to(package).with_suffix("").parts)))
    kinds = [errors.FairsweepError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds


@pytest.mark.parametrize("kind", every_error())
def test_every_error_survives_a_process_border(kind):
    error = pickle.loads(pickle.dumps(kind("what is wrong: what to do")))
    assert type(error) is kind
    assert str(error) == "what is wrong: what to do"
    assert error.exit_code == 2


def test_a_spec_error_keeps_its_place():
    error = pickle.loads(pickle.dumps(errors.SpecError("unknown key", "spec.yaml", 3, "models[0].stps")))
    assert str(error) == "spec.yaml:3: models[0].stps: unknown key"
    assert (error.file, error.line, error.key) == ("spec.yaml", 3, "models[0].stps")
