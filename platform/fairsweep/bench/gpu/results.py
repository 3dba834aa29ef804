"""What is computed on a card: beside float32, beside SEGA, and in batches of any size."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fairsweep.bench import guidance
from fairsweep.bench.gpu.card import GIB, Card
from fairsweep.bench.gpu.part import EDIT, HALF, Verdict, images, verdict
from fairsweep.guidance import toward
from fairsweep.guidance.steering import guide


def environment(card: Card) -> Verdict:
    """Tell what this is."""
    told: dict[str, Any] = {"torch": torch.__version__, "cuda": str(torch.version.cuda)}
    if card.real:
        told |= {
            "card": torch.cuda.get_device_name(0),
            "capability": ".".join(map(str, torch.cuda.get_device_capability(0))),
            "memory_gib": torch.cuda.get_device_properties(0).total_memory / GIB,
            "cudnn": torch.backends.cudnn.version(),
        }
    return "figures", told


def synchronisations(card: Card) -> Verdict:
    """The wrapper lets the host wait for the card when a call begins, and at no step.

    The scheduler's own waits are told beside it.
    """
    counts: dict[str, dict[int, int]] = {"own": {}, "scheduler": {}}
    # Without a warm-up: every step does the same.
    settings: dict[str, Any] = guidance.FAIR_DIFFUSION | {"warmup_steps": 0}
    edit = toward(*guidance.PAIR, **settings)
    for steps in (4, 8):
        pipeline = card.pipeline("sd15", steps)
        pipeline.denoise(*images(2, edit))
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                pipeline.denoise(*images(2, edit))
            finally:
                torch.cuda.set_sync_debug_mode("default")
        places = [Path(each.filename).parts for each in raised if "synchroniz" in str(each.message)]
        counts["own"][steps] = sum("fairsweep" in place for place in places)
        counts["scheduler"][steps] = sum("schedulers" in place for place in places)
    own, scheduler = ((each[8] - each[4]) / 4 for each in counts.values())
    return verdict(own == 0), {"own_a_step": own, "own_a_call": counts["own"][4], "scheduler_a_step": scheduler}


def rounding(card: Card) -> Verdict:
    """In half precision the wrapper strays no farther from float32 than 1.5 times as far as SEGA does.

    All start from the same noise: what a pipeline draws in half precision is another picture's.
    """
    size, steps, count = card.sizes["sd15"], card.steps, 2
    side = (size or 64) // 8
    noise = torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(0))

    def latents(dtype: str, wrapped: bool) -> torch.Tensor:
        pipe = card.pipe("sd15", getattr(torch, dtype))
        start = noise.to(card.device, pipe.dtype)
        bench = guidance.Bench(pipe, guidance.FAIR_DIFFUSION, count, steps, 1, size)
        if wrapped:
            with guide(pipe, [EDIT] * count):
                return bench.latents(pipe, count, latents=start).double()
        return bench.sega_latents(count, latents=start).double()

    exact = latents("float32", False)
    scale = float(exact.pow(2).mean().sqrt())

    def off(dtype: str, wrapped: bool) -> float:
        return float((latents(dtype, wrapped) - exact).pow(2).mean().sqrt()) / scale

    figures = {"wrapper_float32": off("float32", True)}
    for dtype in HALF:
        figures |= {f"wrapper_{dtype}": off(dtype, True), f"sega_{dtype}": off(dtype, False)}
    worst = max(figures[f"wrapper_{dtype}"] / max(figures[f"sega_{dtype}"], 1e-12) for dtype in HALF)
    return verdict(worst <= 1.5), figures | {"wrapper_over_sega": worst}


def neighbours(card: Card) -> Verdict:
    """The pixels of a seed are the same in a batch of any size."""
    pipeline, figures = card.pipeline("sd15", card.steps), {}
    for name, edit in (("unguided", None), ("guided", EDIT)):

        def pixels(count: int, edit=edit) -> np.ndarray:
            return np.asarray(pipeline.generate(*images(count, edit))[0]).astype(int)

        base = pixels(card.batches[1])
        for count in card.batches:
            figures[f"{name}_{count}"] = int(np.abs(pixels(count) - base).max())
    return verdict(not any(figures.values())), figures
