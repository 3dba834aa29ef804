"""SDXL, SD3, FLUX and image to image against the plain formula."""

from dataclasses import replace

import diffusers
import pytest
import torch
from PIL import Image

from fairsweep.guidance import Concept, Edit, fair_guidance, toward
from support import plain_sega, tiny

PROMPTS = ["a photo of the face of a firefighter", "a photo of the face of a nurse", "a photo of a doctor"]
NEGATIVES = ["old", "young", "light"]
SEEDS = [11, 12, 13]
STEPS = 7
# Thresholds that fall between two of a latent channel's 16 values: one on a value keeps or drops it by rounding.
EDITS = [
    toward("female person", "male person", warmup_steps=2),
    toward("dark skinned person", "light person", "medium person", threshold=0.62, momentum_scale=0.0),
    Edit(
        (
            Concept("old person", scale=6.0, threshold=0.3, warmup_steps=0, cooldown_steps=5),
            Concept("male person", reverse=True, scale=3.0, threshold=0.83, warmup_steps=3, weight=0.5),
        ),
        momentum_scale=0.3,
        momentum_beta=0.4,
    ),
]
# Image by image. With momentum a concept counts from the first step, without it from the end of its warm-up.
CONCEPT_ROWS = 2 * STEPS + 3 * (STEPS - 5) + (5 + STEPS)
BASE_ROWS = STEPS + (STEPS - 5) + STEPS
BUILD = {
    "sdxl": tiny.build_sdxl,
    "sd3": tiny.build_sd3,
    "flux": tiny.build_flux,
    "flux-true": lambda: tiny.build_flux(distilled=False),
}


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def relative(found, wanted):
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("sdxl", 5.0),
        ("sdxl", None),
        ("sd3", 4.0),
        ("sd3", None),
        ("flux", None),
        ("flux", 3.0),
        ("flux-true", 3.0),
    ],
)
def test_equals_the_plain_formula(kind, scale):
    """Latents of a batch of three differently edited images equal the reference's within 1e-4 relative.

    And rows run only where they matter: beside the pipeline's own, those of CONCEPT_ROWS, and where no branch
    of the pipeline's own is unconditional, BASE_ROWS.
    """
    pipe, base = BUILD[kind](), kind.split("-")[0]
    options = {"num_inference_steps": STEPS, "output_type": "latent", "height": 32, "width": 32}
    negatives = NEGATIVES if base == "flux" and scale else [None] * 3
    if base == "flux":
        options |= {"max_sequence_length": 32, "guidance_scale": 3.5}
        if scale:
            options |= {"true_cfg_scale": scale, "negative_prompt": negatives}
    else:
        options["guidance_scale"] = scale or 1.0
        options |= {"max_sequence_length": 32} if base == "sd3" else {}
    with fair_guidance(pipe, EDITS) as guided:
        found = pipe(PROMPTS, generator=generators(SEEDS), **options).images
    own = (2 if scale else 1) * len(PROMPTS) * STEPS
    assert guided.rows == own + CONCEPT_ROWS + (0 if scale else BASE_ROWS)
    wanted = [
        plain_sega.generate(pipe, base, prompt, seed, edit, STEPS, scale, negative)
        for prompt, seed, edit, negative in zip(PROMPTS, SEEDS, EDITS, negatives, strict=True)
    ]
    assert relative(found, torch.cat(wanted)) < 1e-4
    unguided = pipe(PROMPTS, generator=generators(SEEDS), **options).images
    assert all(relative(a, b) > 1e-3 for a, b in zip(found, unguided, strict=True))


@pytest.mark.parametrize(("kind", "scale"), [("sdxl", 5.0), ("flux", None)])
def test_what_concepts_say_serves_several_steps_as_in_the_plain_formula(kind, scale):
    pipe = BUILD[kind]()
    options = {"num_inference_steps": STEPS, "output_type": "latent", "height": 32, "width": 32}
    options |= {"guidance_scale": 5.0} if kind == "sdxl" else {"max_sequence_length": 32, "guidance_scale": 3.5}
    # Steered hard: what concepts say changes little in a step of random weights.
    strong = [replace(edit, concepts=tuple(replace(c, scale=60.0) for c in edit.concepts)) for edit in EDITS]
    edits = [replace(edit, concepts_every=every) for edit, every in zip(strong, (2, 3, 2), strict=True)]
    with fair_guidance(pipe, edits):
        found = pipe(PROMPTS, generator=generators(SEEDS), **options).images
    for number, (prompt, seed, edit) in enumerate(zip(PROMPTS, SEEDS, edits, strict=True)):
        wanted = plain_sega.generate(pipe, kind, prompt, seed, edit, STEPS, scale)
        assert relative(found[number : number + 1], wanted) < 1e-4
        exact = plain_sega.generate(pipe, kind, prompt, seed, replace(edit, concepts_every=1), STEPS, scale)
        assert relative(wanted, exact) > 1e-3


def test_skip_layer_guidance():
    """SD3's third branch gets the edit too: the pipeline takes it off the conditional one, and both cancel."""
    pipe = tiny.build_sd3()
    skip = {f"skip_layer_guidance_{name}": value for name, value in (("start", 0.1), ("stop", 0.6), ("scale", 2.0))}
    options = {"num_inference_steps": STEPS, "output_type": "latent", "height": 32, "width": 32, "guidance_scale": 4.0}
    with fair_guidance(pipe, EDITS[:1]):
        found = pipe(
            PROMPTS[:1],
            generator=generators(SEEDS[:1]),
            skip_guidance_layers=[1],
            max_sequence_length=32,
            **skip,
            **options,
        ).images
    acts = ([1], 2.0, 0.1 * STEPS, 0.6 * STEPS)
    wanted = plain_sega.generate(pipe, "sd3", PROMPTS[0], SEEDS[0], EDITS[0], STEPS, 4.0, skip=acts)
    assert relative(found, wanted) < 1e-4
    without = plain_sega.generate(pipe, "sd3", PROMPTS[0], SEEDS[0], EDITS[0], STEPS, 4.0)
    assert relative(wanted, without) > 1e-3


@pytest.mark.parametrize(("kind", "name"), [("sd", "StableDiffusion"), ("sdxl", "StableDiffusionXL")])
def test_image_to_image(kind, name):
    """The plain formula from the picture on, warm-up counted from the first step that runs; each image as alone."""
    source = tiny.build_sdxl() if kind == "sdxl" else tiny.build_sd()
    pipe = getattr(diffusers, f"{name}Img2ImgPipeline").from_pipe(source)
    pipe.set_progress_bar_config(disable=True)
    pictures = [Image.new("RGB", (32, 32), colour) for colour in ("red", "grey", "navy")]
    options = {"strength": 0.6, "num_inference_steps": 10, "guidance_scale": 5.0, "output_type": "latent"}

    def run(which):
        return pipe(
            [PROMPTS[i] for i in which],
            image=[pictures[i] for i in which],
            generator=generators(SEEDS[i] for i in which),
            **options,
        ).images

    edits = [toward("female person", "male person", warmup_steps=1), None, EDITS[2]]
    with fair_guidance(pipe, edits) as guided:
        together = run([0, 1, 2])
        assert guided.calls == 6
    unguided = run([0, 1, 2])
    for i in (0, 2):
        assert relative(together[i], unguided[i]) > 1e-3
        wanted = plain_sega.generate(
            pipe, kind, PROMPTS[i], SEEDS[i], edits[i], 10, 5.0, picture=pictures[i], strength=0.6
        )
        assert relative(together[i], wanted[0]) < 1e-4
    for i, edit in enumerate(edits):
        with fair_guidance(pipe, [edit]):
            assert relative(run([i])[0], together[i]) < 1e-5
    assert relative(together[1], unguided[1]) < 1e-5


def test_true_guidance_is_told_from_distilled_on_every_call():
    """In one block: a call with a negative prompt runs twice a step, the next without one runs once."""
    pipe = tiny.build_flux(distilled=False)
    options = {
        "num_inference_steps": 4,
        "output_type": "latent",
        "height": 32,
        "width": 32,
        "max_sequence_length": 32,
    }
    edit = toward("female person", "male person", warmup_steps=1)
    with fair_guidance(pipe, [edit]) as guided:
        pipe(PROMPTS[0], negative_prompt="old", true_cfg_scale=2.0, generator=generators([1]), **options)
        assert guided.calls == 8
        plain_call = pipe(PROMPTS[0], generator=generators([1]), **options).images
        assert guided.calls == 4
    wanted = plain_sega.generate(pipe, "flux", PROMPTS[0], 1, edit, 4, None)
    assert relative(plain_call, wanted) < 1e-4
