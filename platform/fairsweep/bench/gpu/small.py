"""What lets a large model fit a card of 24 GiB: FLUX.1 dev at full size, loaded as an actor loads it, each way."""

import resource
import time
from functools import partial
from typing import Any

import torch

from fairsweep.bench.architectures import T5_LAYERS, t5
from fairsweep.bench.gpu.card import GIB, Card
from fairsweep.bench.gpu.part import Verdict, images, verdict
from fairsweep.pipelines import load
from fairsweep.spec import ModelSpec

# What a spec offers, by its words.
WAYS: dict[str, dict[str, Any]] = {
    "quantize nf4": {"quantize": "nf4"},
    "quantize fp8": {"quantize": "fp8"},
    "quantize int8": {"quantize": "int8"},
    "offload model": {"offload": "model"},
    "nf4 and offload model": {"quantize": "nf4", "offload": "model"},
    "offload sequential": {"offload": "sequential"},
}
_NAME, _MEMORY, _STEPS = "flux-dev", 24, 3


def fits(card: Card, way: str) -> Verdict:
    """A guided picture is made in 24 GiB; and how long loading and a step of it take, and the most memory of both."""
    folder, size = card.saved(_NAME, partial(_whole, card)), card.sizes[_NAME]
    model = ModelSpec(name=_NAME, source=folder, dtype="bfloat16", steps=_STEPS, width=size, height=size, **WAYS[way])
    with card.limited(_MEMORY):
        started = time.perf_counter()
        pipeline = load(model, card.device)
        loaded = time.perf_counter() - started
        seconds = card.seconds(lambda: pipeline.generate(*images(1)))
        peak = torch.cuda.max_memory_reserved() / GIB if card.real else 0.0
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return verdict(peak < _MEMORY), {
        "load_s": loaded,
        "step_s": seconds / _STEPS,
        "peak_gib": peak,
        "host_peak_gib": host,
    }


def _whole(card: Card) -> Any:
    pipe = card.pipe(_NAME, torch.bfloat16)
    with card.making(torch.bfloat16):
        pipe.text_encoder_2 = t5(T5_LAYERS)
    return pipe
