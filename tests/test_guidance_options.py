"""What the documented options that change speed do to images of the built-in model.

They round differently. Unguided that is all; guided, a value that lies on the edge of its concept's threshold may fall
to the other side, which moves that image by more than rounding, and by far less than anyone sees.
"""

import shutil

import pytest
import torch

from fairsweep.bench.guidance import PAIR, PROMPT, applied
from fairsweep.guidance import fair_guidance, toward
from fairsweep.pipelines import load
from fairsweep.portraits.defaults import FAIR, GUIDANCE_SCALE, STEPS
from fairsweep.spec import ModelSpec

IMAGES = 8
UNGUIDED = [None, None]
GUIDED = [toward(*PAIR, **FAIR), toward(*reversed(PAIR), **FAIR)]


def latents(pipe, *ways: list) -> list[torch.Tensor]:
    """Return the latents of the same seeds in each way; guided, each image is pushed one way or the other."""
    options = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE_SCALE, "output_type": "latent"}
    found = []
    for edits in ways:
        generators = [torch.Generator().manual_seed(seed) for seed in range(IMAGES)]
        with fair_guidance(pipe, edits * (IMAGES // 2)):
            found.append(pipe([PROMPT] * IMAGES, generator=generators, **options).images.float())
    return found


def differences(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the largest relative difference of each image."""
    return (found - wanted).abs().amax((1, 2, 3)) / wanted.abs().max()


def load_portraits(**options):
    return load(ModelSpec(name="portraits", source="builtin:portraits", **options), "cpu").pipe


@pytest.fixture
def pipe():
    return load_portraits()


@pytest.fixture(scope="module")
def plain() -> list[torch.Tensor]:
    """Return unguided and guided latents without an option."""
    return latents(load_portraits(), UNGUIDED, GUIDED)


def assert_kept(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> None:
    """Check unguided and guided latents: within 1e-4; guided all but a few images, and these within 1e-2."""
    unguided, guided = (differences(*pair) for pair in zip(found, wanted, strict=True))
    assert unguided.max() < 1e-4
    assert guided.median() < 1e-4
    assert guided.max() < 1e-2


@pytest.mark.parametrize("option", ["channels-last", "fused-attention"])
def test_options_that_only_round_differently(pipe, plain, option):
    with applied(option, pipe):
        assert_kept(latents(pipe, UNGUIDED, GUIDED), plain)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_model_only_rounds_differently(plain):
    compiled = load_portraits(compile=True)
    torch._dynamo.utils.counters.clear()
    assert_kept(latents(compiled, UNGUIDED, GUIDED), plain)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


@pytest.mark.slow
def test_bfloat16_is_approximate(pipe, plain):
    with applied("bf16", pipe):
        (found,) = latents(pipe, GUIDED)
    moved = differences(found, plain[1])
    assert moved.min() > 1e-4
    assert moved.max() < 0.5
