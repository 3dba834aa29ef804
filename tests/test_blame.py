"""What is a model's own fault, and what is the matter with one place."""

import errno

import pytest
import torch

from fairsweep.engine.blame import own_fault
from fairsweep.errors import ClusterError, ModelLoadError


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error, own",
    [
        (ModelLoadError("the folder holds no model_index.json"), True),
        (caused(ModelLoadError("cannot be loaded"), ValueError("a wrong file")), True),
        (caused(ModelLoadError("cannot be loaded"), MemoryError()), False),
        (caused(ModelLoadError("cannot be loaded"), torch.OutOfMemoryError("out of memory")), False),
        (caused(ModelLoadError("cannot be loaded"), OSError(errno.ENOSPC, "no space")), False),
        (ClusterError("this card has no kernels for bfloat16"), False),
        (RuntimeError("a device's error"), False),
    ],
)
def test_only_what_is_wrong_everywhere_is_the_models_own_fault(error, own):
    assert own_fault(error) is own
