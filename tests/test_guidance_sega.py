"""Fair guidance against diffusers' SemanticStableDiffusionPipeline on the same weights, seeds and settings."""

import random

import diffusers
import pytest
import torch

from fairsweep.guidance import Concept, Edit, fair_guidance
from fairsweep.guidance.sega import quantile
from support import plain_sega, tiny

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


def pairs(pipe, concepts, momentum_scale=0.5, momentum_beta=0.6, seeds=(21, 22), **call):
    """Return SEGA's latents and fair guidance's, and the arguments of the call."""
    prompts = (PROMPTS * len(seeds))[: len(seeds)]

    def generators():
        return [torch.Generator().manual_seed(seed) for seed in seeds]

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
        prompts,
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
    with fair_guidance(pipe, [edit] * len(seeds)):
        return wanted, pipe(prompts, generator=generators(), **call).images, call


def compare(pipe, concepts, momentum_scale=0.5, momentum_beta=0.6, **call):
    """Return the relative difference of the latents, and how far the edit moves them."""
    wanted, found, call = pairs(pipe, concepts, momentum_scale, momentum_beta, **call)
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


@pytest.fixture(scope="module")
def precise():
    return tiny.build_sd().to(torch.float64)


def drawn(number: int) -> tuple[list[dict], float, float]:
    """Return the concepts of a random setting, its momentum scale and its momentum beta.

    No threshold of exactly 0 or 1, and no concept that cools down while another warms up: see below.
    """
    draw = random.Random(number)
    concepts = [
        {
            "text": text,
            "reverse": draw.random() < 0.5,
            "scale": draw.uniform(0.5, 12.0),
            "threshold": draw.uniform(0.01, 0.99),
            "warmup_steps": draw.randrange(4),
            "cooldown_steps": draw.choice([4, 6, STEPS]),
            "weight": draw.uniform(0.1, 2.0),
        }
        for text in draw.sample(["female person", "male person", "old person", "dark skinned"], draw.randint(1, 3))
    ]
    return concepts, draw.choice([0.0, draw.uniform(0.05, 1.0)]), draw.uniform(0.0, 1.0)


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=[pytest.mark.slow] if number >= 15 else []) for number in range(104)]
)
def test_the_formula_in_double_precision(precise, number):
    """Random settings: no rounding decides a threshold, so that the formulas can be told apart."""
    concepts, scale, beta = drawn(number)
    difference, moved = compare(precise, concepts, scale, beta, num_inference_steps=8)
    assert difference < 1e-6
    assert moved > 1e-4


def test_where_semantic_guidance_has_no_value(precise):
    """It divides by the weights of what is past its warm-up, 0 once that is all cooled while another still warms up."""
    concepts = [FEMALE | {"warmup_steps": 0, "cooldown_steps": 2}, MALE | {"warmup_steps": 5, "cooldown_steps": STEPS}]
    wanted, found, _ = pairs(precise, concepts, num_inference_steps=8)
    assert wanted.isnan().all()
    plain = formula(precise, concepts)
    assert ((found[:1] - plain).abs().max() / plain.abs().max()).item() < 1e-6


def test_a_threshold_of_zero_keeps_all(precise):
    """SEGA reads quantiles in float32: rounded up, the least value of a channel falls below its own."""
    concepts = [FEMALE | {"threshold": 0.0, "warmup_steps": 0}]
    wanted, found, _ = pairs(precise, concepts, num_inference_steps=8)
    plain = formula(precise, concepts)
    size = plain.abs().max()
    assert ((found[:1] - plain).abs().max() / size).item() < 1e-6 < ((wanted - found).abs().max() / size).item()


def formula(pipe, concepts):
    edit = Edit(tuple(Concept(**concept) for concept in concepts))
    return plain_sega.generate(pipe, "sd", PROMPTS[0], 21, edit, 8, 7.0)


@pytest.mark.slow
def test_what_lies_on_a_thresholds_edge():
    """64x64 latents, 20 steps, float32: in a few images a value on an edge falls to the other side, in most none."""
    size = {"height": 256, "width": 256, "num_inference_steps": 20}
    wanted, found, _ = pairs(tiny.build_sd(size=256), CASES["two concepts"], seeds=range(4), **size)
    off = (wanted - found).abs().amax((1, 2, 3)) / wanted.abs().max()
    assert off.median() < 1e-5
    assert off.max() < 1e-2
