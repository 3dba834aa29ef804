"""Guidance under each scheduler that Stable Diffusion runs with: latents equal a plain loop of single forwards."""

import diffusers
import pytest
import torch

from fairsweep.guidance import Concept, Edit, fair_guidance
from support import plain_sega, tiny
from support.tiny import relative

STEPS, SCALE = 5, 4.0
PROMPTS = ["a nurse", "a photo of a teacher"]
# Without a threshold: a value on the edge of one falls to either side by rounding alone.
EDITS = [
    Edit(
        (
            Concept("female person", scale=6.0, threshold=0.0, warmup_steps=1),
            Concept("male", reverse=True, threshold=0.0, warmup_steps=0, cooldown_steps=3),
        ),
        momentum_scale=0.3,
    ),
    None,
]
# Of one call a step, of two, of several orders, with noise of their own.
SCHEDULERS = [
    "CMStochasticIterativeScheduler",
    "DDIMParallelScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EDMDPMSolverMultistepScheduler",
    "EDMEulerScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "IPNDMScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "SASolverScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
]


@pytest.fixture(scope="module")
def built():
    pipe = tiny.build_sd()
    return pipe, pipe.scheduler.config


@torch.no_grad()
def by_hand(pipe, prompt: str, seed: int, edit: Edit | None) -> torch.Tensor:
    """Return one image's latents; what a concept says counts by steps, and momentum by the scheduler's own."""
    generator, scheduler = torch.Generator().manual_seed(seed), pipe.scheduler
    conditional, empty = (pipe.encode_prompt(text, "cpu", 1, False)[0] for text in (prompt, ""))
    texts = [pipe.encode_prompt(concept.text, "cpu", 1, False)[0] for concept in edit.concepts] if edit else []
    scheduler.set_timesteps(STEPS)
    latents = torch.randn((1, 4, 8, 8), generator=generator) * scheduler.init_noise_sigma
    more, momentum = pipe.prepare_extra_step_kwargs([generator], 0.0), 0.0
    for number, time in enumerate(scheduler.timesteps):
        scaled = scheduler.scale_model_input(latents, time)
        plain, base, *concepts = (
            pipe.unet(scaled, time, encoder_hidden_states=text).sample for text in (conditional, empty, *texts)
        )
        guided = base + SCALE * (plain - base)
        if edit:
            outputs = [output[0] for output in concepts]
            added, momentum = plain_sega.sega(outputs, base[0], edit, number // scheduler.order, momentum)
            guided = guided + added
        latents = scheduler.step(guided, time, latents, **more, return_dict=False)[0]
    return latents


@pytest.mark.parametrize("name", SCHEDULERS)
def test_latents_are_those_of_a_plain_loop(built, name):
    pipe, config = built
    pipe.scheduler = getattr(diffusers, name).from_config(config)
    wanted = [by_hand(pipe, prompt, seed, edit) for seed, (prompt, edit) in enumerate(zip(PROMPTS, EDITS, strict=True))]
    call = {"num_inference_steps": STEPS, "guidance_scale": SCALE, "output_type": "latent"}
    with fair_guidance(pipe, EDITS):
        latents = pipe(PROMPTS, generator=[torch.Generator().manual_seed(seed) for seed in (0, 1)], **call).images
    assert relative(latents, torch.cat(wanted)) < 3e-5
