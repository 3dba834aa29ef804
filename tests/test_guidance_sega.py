"""Fair guidance against diffusers' SemanticStableDiffusionPipeline on the same weights, seeds and settings."""

import diffusers
import pytest
import torch

from fairsweep.guidance import Concept, Edit, fair_guidance
from fairsweep.guidance.sega import quantile
from support import tiny

PROMPTS = ["a photo of the face of a firefighter", "a photo of the face of a nurse"]
STEPS = 12
DEFAULT = {"scale": 4.0, "threshold": 0.95, "warmup_steps": 3, "cooldown_steps": None, "weight": 1.0}
FEMALE = {"text": "female person", **DEFAULT}
MALE = {"text": "male person", **DEFAULT, "reverse": True}
CASES = {
    "one concept": [FEMALE],
    "one reversed": [MALE],
    "two concepts": [FEMALE, MALE],
    "three weights": [FEMALE | {"weight": 0.5}, MALE, FEMALE | {"text": "old person", "weight": 2.0}],
    "cool-down": [FEMALE | {"cooldown_steps": 7}, MALE | {"cooldown_steps": 9}],
    "unequal warm-up": [FEMALE | {"warmup_steps": 1}, MALE | {"warmup_steps": 6}],
    "no warm-up": [FEMALE | {"warmup_steps": 0}, MALE | {"warmup_steps": 0}],
    "threshold 0": [FEMALE | {"threshold": 0.0}],
    "threshold 0.5": [FEMALE | {"threshold": 0.5}, MALE | {"threshold": 0.8}],
    "threshold 0.99": [FEMALE | {"threshold": 0.99}, MALE | {"threshold": 0.99}],
}
SCHEDULERS = [
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "PNDMScheduler",
    "LMSDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
]


def generators():
    return [torch.Generator().manual_seed(seed) for seed in (21, 22)]


def compare(pipe, concepts, momentum_scale=0.5, momentum_beta=0.6, **call):
    """Return the relative difference of the latents, and how far the edit moves them."""
    sega = diffusers.SemanticStableDiffusionPipeline(
        **{name: part for name, part in pipe.components.items() if name != "image_encoder"},
        requires_safety_checker=False,
    )
    sega.set_progress_bar_config(disable=True)
    call = {"num_inference_steps": STEPS, "guidance_scale": 7.0, "output_type": "latent", "eta": 0.0} | call
    # SEGA counts calls of the denoiser, of which schedulers of second order make two a step.
    order = pipe.scheduler.order
    cooldown = [concept["cooldown_steps"] and concept["cooldown_steps"] * order for concept in concepts]
    wanted = sega(
        PROMPTS,
        generator=generators(),
        editing_prompt=[concept["text"] for concept in concepts],
        reverse_editing_direction=[concept.get("reverse", False) for concept in concepts],
        edit_guidance_scale=[concept["scale"] for concept in concepts],
        edit_threshold=[concept["threshold"] for concept in concepts],
        edit_warmup_steps=[concept["warmup_steps"] * order for concept in concepts],
        edit_cooldown_steps=cooldown if any(cooldown) else None,
        edit_weights=[concept["weight"] for concept in concepts],
        edit_momentum_scale=momentum_scale,
        edit_mom_beta=momentum_beta,
        **call,
    ).images
    edit = Edit(tuple(Concept(**concept) for concept in concepts), momentum_scale, momentum_beta)
    with fair_guidance(pipe, [edit, edit]):
        found = pipe(PROMPTS, generator=generators(), **call).images
    unguided = pipe(PROMPTS, generator=generators(), **call).images
    size = wanted.abs().max()
    return ((found - wanted).abs().max() / size).item(), ((found - unguided).abs().max() / size).item()


@pytest.fixture(scope="module")
def pipe():
    return tiny.build_sd()


@pytest.mark.parametrize("momentum", [0.5, 0.0], ids=["momentum", "none"])
@pytest.mark.parametrize("case", CASES)
def test_equals_semantic_guidance(pipe, case, momentum):
    """Latents within 1e-4 relative, DDIM, eta 0, guidance scale 7."""
    difference, moved = compare(pipe, CASES[case], momentum_scale=momentum)
    assert difference < 1e-4
    assert moved > 1e-3


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler(scheduler):
    pipe = tiny.build_sd()
    pipe.scheduler = getattr(diffusers, scheduler).from_config(pipe.scheduler.config, skip_prk_steps=True)
    if pipe.scheduler.order == 2:
        # SEGA has room for one call per step asked for.
        ask = pipe.scheduler.set_timesteps
        pipe.scheduler.set_timesteps = lambda steps, **options: ask(steps // 2, **options)
    difference, moved = compare(pipe, CASES["two concepts"])
    assert difference < 1e-4
    assert moved > 1e-3


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_stable_diffusion_2(prediction_type):
    """Its UNet projects by linear layers and has a number of heads per block."""
    shape = {"use_linear_projection": True, "attention_head_dim": (2, 4)}
    difference, moved = compare(tiny.build_sd(prediction_type=prediction_type, **shape), CASES["two concepts"])
    assert difference < 1e-4
    assert moved > 1e-3


def test_negative_prompt(pipe):
    assert compare(pipe, CASES["two concepts"], negative_prompt=["old", "young"])[0] < 1e-4


def test_unguided_is_the_stock_pipeline_bit_for_bit(pipe):
    call = {"num_inference_steps": STEPS, "output_type": "latent"}
    wanted = pipe(PROMPTS, generator=generators(), **call).images
    with fair_guidance(pipe, [None, None]):
        assert torch.equal(pipe(PROMPTS, generator=generators(), **call).images, wanted)
    # A concept that never leaves its warm-up leaves every step to the stock pipeline too.
    edit = Edit((Concept("female person", warmup_steps=STEPS),), momentum_scale=0.0)
    with fair_guidance(pipe, [edit, None]):
        assert torch.equal(pipe(PROMPTS, generator=generators(), **call).images, wanted)
    assert torch.equal(pipe(PROMPTS, generator=generators(), **call).images, wanted)


def test_quantile_is_torchs():
    values = torch.randn(5, 4, 1024, generator=torch.Generator().manual_seed(0)).abs()
    for q in (0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 1.0):
        wanted = torch.quantile(values, q, dim=2, keepdim=True)
        assert torch.allclose(quantile(values, torch.full((5,), q)), wanted, rtol=1e-6, atol=0)
