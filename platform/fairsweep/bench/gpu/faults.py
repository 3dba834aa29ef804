"""What goes wrong on a card: memory that is short once, batches that fail, a context that dies."""

import subprocess
import sys
from collections.abc import Sequence

import torch
from PIL.Image import Image

from fairsweep.bench.gpu.card import GIB, Card
from fairsweep.bench.gpu.part import Verdict, images, pairs, verdict
from fairsweep.engine.halving import Halving

_STICKY = """
import torch
from fairsweep.engine.device import Cuda, DeviceError
card = Cuda()
print(card.open())
try:
    torch.zeros(4, device="cuda")[torch.tensor([99], device="cuda")].sum().item()
except Exception as error:
    print(type(error).__name__)
try:
    card.probe()
    print("alive")
except DeviceError as error:
    print(error)
"""


def failures(card: Card) -> Verdict:
    """A failed batch holds none of the card's memory while its halves are tried."""
    pipeline, held = card.pipeline("sd15", 2), []
    block, before = pipeline.pipe.unet.mid_block, card.allocated()

    def fail(*args, **kwargs):
        held.append(card.allocated() - before)
        raise RuntimeError("this batch fails")

    block.forward = fail
    try:
        results = Halving().run(lambda part: pipeline.denoise(*zip(*part, strict=True)), pairs(card.batches[-1]))
    finally:
        del block.forward
    after = card.allocated() - before
    failed = all(isinstance(result, RuntimeError) for result in results)
    figures = {"calls": len(held), "first_gib": held[0] / GIB, "held_after_gib": after / GIB}
    return verdict(failed and after < GIB / 16), figures


def decode_out_of_memory(card: Card) -> Verdict:
    """A real lack of memory while decoding costs no picture, and the next batch works as before."""
    pipeline = card.pipeline("sdxl", 2)
    vae, times = pipeline.pipe.vae, [0]
    decode = vae.decode

    def lack(*args, **kwargs):
        times[0] += 1
        if times[0] == 1:
            if card.real:
                torch.empty(1 << 42, dtype=torch.uint8, device=card.device)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(*args, **kwargs)

    vae.decode = lack
    try:
        batches = [pipeline.generate(*images(2, None)) for _ in range(2)]
    finally:
        del vae.decode
    made = [isinstance(picture, Image) for batch in batches for picture in batch]
    return verdict(all(made) and len(made) == 4), {"decoding": pipeline.decoding, "vae": str(vae.dtype)}


def dead_context(card: Card) -> Verdict:
    """After an assertion on the card, which leaves a dead context, the probe says so."""
    done = subprocess.run([sys.executable, "-c", _STICKY], capture_output=True, text=True, timeout=120)
    lines: Sequence[str] = done.stdout.splitlines()
    return verdict(len(lines) == 3 and "the CUDA context is dead" in lines[-1]), {"lines": lines[1:]}
