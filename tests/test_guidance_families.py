"""SDXL, SD3 and FLUX against the plain formula; image to image against its own unguided call."""

import plain
import pytest
import tiny
import torch
from PIL import Image

from fairsweep.guidance import Concept, Edit, fair_guidance, toward

PROMPTS = ["a photo of the face of a firefighter", "a photo of the face of a nurse", "a photo of a doctor"]
SEEDS = [11, 12, 13]
STEPS = 7
EDITS = [
    toward("female person", "male person", warmup_steps=2),
    toward("dark skinned person", "light person", "medium person", threshold=0.6, momentum_scale=0.0),
    Edit(
        (
            Concept("old person", scale=6.0, threshold=0.3, warmup_steps=0, cooldown_steps=5),
            Concept("male person", reverse=True, scale=3.0, threshold=0.8, warmup_steps=3, weight=0.5),
        ),
        momentum_scale=0.3,
        momentum_beta=0.4,
    ),
]
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
    [("sdxl", 5.0), ("sdxl", None), ("sd3", 4.0), ("sd3", None), ("flux", None), ("flux-true", 3.0)],
)
def test_equals_the_plain_formula(kind, scale):
    """Latents of a batch of three differently edited images equal the reference's within 1e-4 relative."""
    pipe, base = BUILD[kind](), kind.split("-")[0]
    options = {"num_inference_steps": STEPS, "output_type": "latent", "height": 32, "width": 32}
    if base == "flux":
        options |= {"max_sequence_length": 32, "guidance_scale": 3.5}
        if scale:
            options |= {"true_cfg_scale": scale, "negative_prompt": [""] * 3}
    else:
        options["guidance_scale"] = scale or 1.0
        options |= {"max_sequence_length": 32} if base == "sd3" else {}
    with fair_guidance(pipe, EDITS):
        found = pipe(PROMPTS, generator=generators(SEEDS), **options).images
    wanted = [
        plain.generate(pipe, base, prompt, seed, edit, STEPS, scale)
        for prompt, seed, edit in zip(PROMPTS, SEEDS, EDITS, strict=True)
    ]
    assert relative(found, torch.cat(wanted)) < 1e-4
    unguided = pipe(PROMPTS, generator=generators(SEEDS), **options).images
    assert all(relative(a, b) > 1e-3 for a, b in zip(found, unguided, strict=True))


@pytest.mark.parametrize(("kind", "xl"), [("StableDiffusion", False), ("StableDiffusionXL", True)])
def test_image_to_image(kind, xl):
    """Each image of a batch as alone, and the unguided one as without the wrapper."""
    import diffusers

    source = tiny.build_sdxl() if xl else tiny.build_sd()
    pipe = getattr(diffusers, f"{kind}Img2ImgPipeline").from_pipe(source)
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
    assert relative(together[0], unguided[0]) > 1e-3
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
    wanted = plain.generate(pipe, "flux", PROMPTS[0], 1, edit, 4, None)
    assert relative(plain_call, wanted) < 1e-4
