import pickle

import pytest

from fairsweep import errors


@pytest.mark.parametrize(
    "kind",
    [
        errors.FairsweepError,
        errors.StoreError,
        errors.ModelLoadError,
        errors.ImportDataError,
        errors.ClusterError,
    ],
)
def test_every_error_survives_a_process_border(kind):
    error = pickle.loads(pickle.dumps(kind("what is wrong: what to do")))
    assert type(error) is kind
    assert str(error) == "what is wrong: what to do"
    assert error.exit_code == 2


def test_a_spec_error_keeps_its_place():
    error = pickle.loads(pickle.dumps(errors.SpecError("unknown key", "spec.yaml", 3, "models[0].stps")))
    assert str(error) == "spec.yaml:3: models[0].stps: unknown key"
    assert (error.file, error.line, error.key) == ("spec.yaml", 3, "models[0].stps")
