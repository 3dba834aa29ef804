"""What the documented options that change speed do to images of the built-in model.

They round differently. Unguided that is all; guided, a value that lies on the edge of its concept's threshold may fall
to the other side, which moves that image by more than rounding, and by far less than anyone sees.
"""

import shutil

import pytest
import torch

from fairsweep.bench.guidance import applied
from fairsweep.guidance import fair_guidance, toward
from fairsweep.pipelines import load
from fairsweep.portraits.defaults import FAIR, GUIDANCE_SCALE, STEPS
from fairsweep.spec import ModelSpec

IMAGES = 8


def latents(pipe, guided: bool) -> torch.Tensor:
    pair = ("female person", "male person")
    edits = [toward(*pair, **FAIR), toward(*reversed(pair), **FAIR)] * (IMAGES // 2) if guided else [None] * IMAGES
    with fair_guidance(pipe, edits):
        return pipe(
            ["a photo of the face of a firefighter"] * IMAGES,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE_SCALE,
            generator=[torch.Generator().manual_seed(seed) for seed in range(IMAGES)],
            output_type="latent",
        ).images.float()


def differences(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the largest relative difference of each image."""
    return (found - wanted).abs().amax((1, 2, 3)) / wanted.abs().max()


def load_portraits(**options):
    return load(ModelSpec(name="portraits", source="builtin:portraits", **options), "cpu").pipe


@pytest.fixture
def pipe():
    return load_portraits()


def assert_kept(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> None:
    """Check unguided and guided latents: within 1e-4; guided all but a few images, and these within 1e-2."""
    unguided, guided = (differences(*pair) for pair in zip(found, wanted, strict=True))
    assert unguided.max() < 1e-4
    assert guided.median() < 1e-4
    assert guided.max() < 1e-2


@pytest.mark.parametrize("option", ["channels-last", "fused-attention"])
def test_options_that_only_round_differently(pipe, option):
    plain = [latents(pipe, guided) for guided in (False, True)]
    with applied(option, pipe):
        assert_kept([latents(pipe, guided) for guided in (False, True)], plain)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_model_only_rounds_differently(pipe):
    compiled = load_portraits(compile=True)
    torch._dynamo.utils.counters.clear()
    assert_kept(*([latents(each, guided) for guided in (False, True)] for each in (compiled, pipe)))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


def test_bfloat16_is_approximate(pipe):
    plain = latents(pipe, guided=True)
    with applied("bf16", pipe):
        moved = differences(latents(pipe, guided=True), plain)
    assert moved.min() > 1e-4
    assert moved.max() < 0.5
