"""What lets a large model fit a card of 24 GiB: FLUX.1 dev at full size, loaded as an actor loads it, each way."""

import resource
import tempfile
import time
from typing import Any

import torch

from fairsweep.bench.architectures import T5_LAYERS, t5
from fairsweep.bench.gpu.card import GIB, Card
from fairsweep.bench.gpu.part import Verdict, images, verdict
from fairsweep.errors import reason
from fairsweep.pipelines import load
from fairsweep.spec import ModelSpec

WAYS: dict[str, dict[str, Any]] = {
    "nf4": {"quantize": "nf4"},
    "fp8": {"quantize": "fp8"},
    "int8": {"quantize": "int8"},
    "offload model": {"offload": "model"},
    "nf4, offload model": {"quantize": "nf4", "offload": "model"},
    "offload sequential": {"offload": "sequential"},
}
_MEMORY, _STEPS, _LAST = 24, 3, 40.0


def fits(card: Card, name: str = "flux-dev", seconds: float = 260) -> Verdict:
    """A guided picture in 24 GiB by each way that a spec offers; `seconds`: ways that it leaves no time for are out."""
    until, figures = time.monotonic() + seconds, dict[str, Any]()
    with tempfile.TemporaryDirectory() as folder:
        pipe = card.pipe(name, torch.bfloat16)
        with card.making(torch.bfloat16):
            pipe.text_encoder_2 = t5(T5_LAYERS)
        pipe.save_pretrained(folder)
        del pipe
        card.drop()
        made = []
        for way, options in WAYS.items():
            if until - time.monotonic() < _LAST:
                figures[way] = {"reason": "no time is left"}
                continue
            try:
                figures[way] = _drawn(card, name, folder, options)
            except Exception as error:
                figures[way] = {"reason": reason(error)}
            made.append("peak_gib" in figures[way])
            card.free()
    return verdict(bool(made) and all(made)), figures


def _drawn(card: Card, name: str, folder: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return how long loading and a step of one guided picture take, and the most memory of both."""
    size = card.sizes.get(name)
    model = ModelSpec(name=name, source=folder, dtype="bfloat16", steps=_STEPS, width=size, height=size, **options)
    with card.limited(_MEMORY):
        started = time.perf_counter()
        pipeline = load(model, card.device)
        loaded = time.perf_counter() - started
        pipeline.generate(*images(1))
        seconds = card.seconds(lambda: pipeline.generate(*images(1)), first=0)
        peak = torch.cuda.max_memory_reserved() / GIB if card.real else 0.0
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"load_s": loaded, "step_s": seconds / _STEPS, "peak_gib": peak, "host_peak_gib": host}
