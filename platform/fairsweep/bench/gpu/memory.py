"""What memory a card and its host need: of guided SDXL, of an actor's share, of weights that left for the card."""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial

import torch

from fairsweep.bench.gpu.card import GIB, Card
from fairsweep.bench.gpu.part import Verdict, pairs, verdict
from fairsweep.engine.device import Cuda
from fairsweep.engine.halving import Halving


def fits(card: Card) -> Verdict:
    """Guided SDXL in the largest batch, with a CLIP beside it, stays whole in 22 GiB."""
    import open_clip

    clip = open_clip.create_model(card.clip, pretrained=None, device=card.device).eval()
    pixels = torch.randn(card.batches[-1], 3, 224, 224, device=card.device)
    with torch.inference_mode():
        seconds = card.seconds(partial(clip.encode_image, pixels))
    pipeline, halving = card.pipeline("sdxl", 2), Halving()
    with card.limited(22):
        latents = halving.run(lambda part: pipeline.denoise(*zip(*part, strict=True)), pairs(card.batches[-1]))
        fine = [each for each in latents if not isinstance(each, Exception)]
        pictures = pipeline.decode(fine) if fine else []
    peak = torch.cuda.max_memory_allocated() / GIB if card.real else 0.0
    figures = {"images": len(pictures), "together": halving.limit or card.batches[-1], "peak_gib": peak}
    whole = len(pictures) == card.batches[-1] and halving.limit is None
    return verdict(whole), figures | {"clip_ms_an_image": 1e3 * seconds / len(pixels), "decoding": pipeline.decoding}


def share(card: Card) -> Verdict:
    """An actor that has a quarter of a card is refused more, and keeps what it has."""
    device, total = Cuda(), torch.cuda.get_device_properties(0).total_memory
    device.limit(0.25)
    try:
        kept = torch.ones(total // 8, dtype=torch.uint8, device=card.device)
        try:
            torch.empty(total // 4, dtype=torch.uint8, device=card.device)
            refused = False
        except torch.OutOfMemoryError:
            refused = True
        whole = bool(kept.all())
    finally:
        device.limit(1.0)
    return verdict(refused and whole), {"limit_gib": total / 4 / GIB}


_LOADING = """
import json, re, sys
from pathlib import Path
import torch
from fairsweep.memory import give_back
from fairsweep.pipelines import loading
from fairsweep.spec import ModelSpec

def held():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 2**20

model = ModelSpec(name="sdxl", source=sys.argv[1], dtype="float16")
torch.ones(1, device="cuda")
before, seen = held(), []
loading.give_back = lambda: (seen.append(held()), give_back())
loading.load_pipeline(model, "cuda")
print(json.dumps({"before_gib": before, "loaded_gib": seen[0], "given_back_gib": held()}))
"""


def host(card: Card) -> Verdict:
    """Once the weights are on the card, the host keeps less than a gibibyte of them."""
    pipe = card.pipe("sdxl")
    with tempfile.TemporaryDirectory() as folder:
        pipe.save_pretrained(folder)
        del pipe
        card.drop()
        figures = _told(_LOADING, folder)
    return verdict(figures["given_back_gib"] - figures["before_gib"] < 1), figures


_SEGMENTS = """
import json, time
import torch
from fairsweep.bench.gpu.card import Card
from fairsweep.bench.gpu.part import images

card = Card()
pipeline = card.pipeline("sdxl", 2)
pipeline.generate(*images(2))
started = time.perf_counter()
for count in (16, 5, 11, 16):
    pipeline.generate(*images(count))
torch.cuda.synchronize()
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "allocated_gib": torch.cuda.max_memory_allocated() / 2**30,
                  "reserved_gib": torch.cuda.max_memory_reserved() / 2**30}))
"""


def segments(card: Card) -> Verdict:
    """Compare batches of changing sizes with and without segments of memory that grow."""
    card.drop()
    figures: dict[str, float] = {}
    for name, setting in (("fixed", "False"), ("growing", "True")):
        told = _told(_SEGMENTS, PYTORCH_ALLOC_CONF=f"expandable_segments:{setting}")
        figures |= {f"{name}_{key}": value for key, value in told.items()}
    return "figures", figures


def _told(script: str, *arguments: str, **environment: str) -> dict[str, float]:
    """Return what a script in a process of its own prints last, a line of JSON."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=os.environ | environment)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    return json.loads(done.stdout.strip().rpartition("\n")[2])
