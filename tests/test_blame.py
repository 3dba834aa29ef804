"""What is a model's own fault, what is the matter with one place, and how an actor ended."""

import errno

import pytest
import torch
from ray.exceptions import RayError

from fairsweep.engine.blame import ending, own_fault
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


def test_what_rays_memory_monitor_ends_is_said_to_have_lacked_memory():
    said = "The actor died.\n1 worker(s) were killed due to the node running low on memory. Top users: ...\n"
    said += "Refer to the documentation on how to address the out of memory issue: https://docs.ray.io/. Consider more."
    assert ending(RayError(said)) == "its process ended (its node ran low on memory, and Ray ended it)"
