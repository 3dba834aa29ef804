"""The parts of `fairsweep bench gpu`, in the order in which they run: those of the small model first."""

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL.Image import Image

from fairsweep.bench import guidance
from fairsweep.bench.gpu import GIB, Card
from fairsweep.engine.halving import Halving
from fairsweep.guidance import toward
from fairsweep.guidance.concepts import Conditioning, Edit
from fairsweep.guidance.sega import directions
from fairsweep.guidance.steering import guide

Verdict = tuple[str, dict[str, Any]]
_SETTINGS: dict[str, Any] = guidance.FAIR_DIFFUSION
_EDIT = toward(*guidance.PAIR, **_SETTINGS)
_HALF = ("float16", "bfloat16")


@dataclass(frozen=True)
class Part:
    """One thing that is looked at. work: returns the verdict and its figures."""

    name: str
    work: Callable[[Card], Verdict]
    needs_card: bool = False


def _asked(count: int, edit: Edit | None = _EDIT) -> tuple[list[Conditioning], list[int]]:
    return [Conditioning(guidance.PROMPT, edit=edit)] * count, list(range(count))


def _pairs(count: int, edit: Edit | None = _EDIT) -> list[tuple[Conditioning, int]]:
    return list(zip(*_asked(count, edit), strict=True))


def _holds(condition: bool) -> str:
    return "holds" if condition else "refuted"


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
    """The wrapper lets the host wait for the card no oftener a step than the stock pipeline does."""
    counts = {}
    for edit in (None, _EDIT):
        for steps in (4, 8):
            pipeline = card.pipeline("sd15", steps)
            pipeline.denoise(*_asked(2, edit))
            with warnings.catch_warnings(record=True) as raised:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                try:
                    pipeline.denoise(*_asked(2, edit))
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            counts[edit is not None, steps] = sum("synchroniz" in str(each.message) for each in raised)
    stock, guided = ((counts[kind, 8] - counts[kind, 4]) / 4 for kind in (False, True))
    return _holds(guided <= stock), {"stock_a_step": stock, "guided_a_step": guided}


def rounding(card: Card) -> Verdict:
    """In half precision the wrapper strays no farther from float32 than 1.5 times as far as SEGA does."""
    size, steps, count = card.sizes["sd15"], card.steps, 2

    def latents(dtype: str, wrapped: bool) -> torch.Tensor:
        pipe = card.pipe("sd15", getattr(torch, dtype))
        bench = guidance.Bench(pipe, guidance.FAIR_DIFFUSION, count, steps, 1, size)
        if wrapped:
            with guide(pipe, [_EDIT] * count):
                return bench.latents(pipe, count).double()
        return bench.sega_latents(count).double()

    exact = latents("float32", False)
    scale = float(exact.pow(2).mean().sqrt())

    def off(dtype: str, wrapped: bool) -> float:
        return float((latents(dtype, wrapped) - exact).pow(2).mean().sqrt()) / scale

    figures = {"wrapper_float32": off("float32", True)}
    for dtype in _HALF:
        figures |= {f"wrapper_{dtype}": off(dtype, True), f"sega_{dtype}": off(dtype, False)}
    worst = max(figures[f"wrapper_{dtype}"] / max(figures[f"sega_{dtype}"], 1e-12) for dtype in _HALF)
    return _holds(worst <= 1.5), figures | {"wrapper_over_sega": worst}


def neighbours(card: Card) -> Verdict:
    """The pixels of a seed are the same in a batch of any size."""
    pipeline, figures = card.pipeline("sd15", card.steps), {}
    for name, edit in (("unguided", None), ("guided", _EDIT)):

        def pixels(count: int, edit=edit) -> np.ndarray:
            return np.asarray(pipeline.generate(*_asked(count, edit))[0]).astype(int)

        base = pixels(card.batches[1])
        for count in card.batches:
            figures[f"{name}_{count}"] = int(np.abs(pixels(count) - base).max())
    return _holds(not any(figures.values())), figures


def failures(card: Card) -> Verdict:
    """A failed batch holds none of the card's memory while its halves are tried."""
    pipeline, held = card.pipeline("sd15", 2), []
    block, before = pipeline.pipe.unet.mid_block, card.allocated()

    def fail(*args, **kwargs):
        held.append(card.allocated() - before)
        raise RuntimeError("this batch fails")

    block.forward = fail
    try:
        results = Halving().run(lambda part: pipeline.denoise(*zip(*part, strict=True)), _pairs(card.batches[-1]))
    finally:
        del block.forward
    after = card.allocated() - before
    failed = all(isinstance(result, RuntimeError) for result in results)
    figures = {"calls": len(held), "first_gib": held[0] / GIB, "held_after_gib": after / GIB}
    return _holds(failed and after < GIB / 16), figures


def types(card: Card) -> Verdict:
    """Time a forward of the denoiser in each type."""
    size, milliseconds = (card.sizes["sd15"] or 64) // 8, {}
    for dtype in ("float32", "tf32", *_HALF):
        with guidance.products(dtype):
            unet = card.pipe("sd15", guidance.weights_type(dtype)).unet
            more: dict[str, Any] = {"device": card.device, "dtype": unet.dtype}
            sample = torch.randn(card.batches[-1], unet.config.in_channels, size, size, **more)
            texts = torch.randn(card.batches[-1], 77, unet.config.cross_attention_dim, **more)
            with torch.inference_mode():
                forward = partial(unet, sample, 5, encoder_hidden_states=texts)
                milliseconds[f"{dtype}_ms"] = 1e3 * card.seconds(forward, 3, 2)
    return "figures", milliseconds


def decoding(card: Card, name: str) -> Verdict:
    """Time the decoding of a picture in each type, in whole batches and one at a time, and in channels last."""
    pipe, count, figures = card.pipe(name), card.batches[1], {}
    vae, size = pipe.vae, (card.sizes[name] or 64) // 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        for way in ("whole", "sliced", "sliced_channels_last"):
            last = way.endswith("last")
            vae.to(dtype=dtype, memory_format=torch.channels_last if last else torch.contiguous_format)
            (vae.disable_slicing if way == "whole" else vae.enable_slicing)()
            latents = torch.randn(count, vae.config.latent_channels, size, size, device=card.device, dtype=dtype)
            with torch.inference_mode():
                seconds = card.seconds(partial(vae.decode, latents, return_dict=False))
            figures[f"{way}_{str(dtype).removeprefix('torch.')}_ms"] = 1e3 * seconds / count
    vae.to(dtype=torch.float16, memory_format=torch.contiguous_format)
    return "figures", figures


def speed(card: Card, name: str) -> Verdict:
    """Time the stock pipeline, SEGA where there is one, and fair guidance, in batches of each size."""
    figures: dict[str, Any] = {}
    for batch in card.batches:
        bench = guidance.Bench(card.pipe(name), guidance.FAIR_DIFFUSION, batch, card.steps, 1, card.sizes[name])
        timed = guidance.timed(bench, name, (), "float16")
        figures |= {f"{key}_{batch}": value for key, value in timed.items() if "second" in key or "over" in key}
    return "figures", figures | {"steps": card.steps}


def edit_cost(card: Card) -> Verdict:
    """Time the edit itself: a sort a concept and channel."""
    figures: dict[str, Any] = {}
    for rows, positions in ((32, 4096), (30, 16_384), (32, 16_384)):
        one, other = (torch.randn(rows, 4, positions, device=card.device) for _ in range(2))
        scale, threshold = (torch.full((rows,), value, device=card.device) for value in (4.0, 0.95))
        edit = partial(directions, one, other, scale, threshold)
        figures[f"{rows}_rows_of_{positions}_ms"] = 1e3 * card.seconds(edit, 10, 3)
    return "figures", figures


def graph(card: Card, name: str) -> Verdict:
    """Time a forward of the denoiser replayed as a CUDA graph: what launching its kernels one by one costs."""
    figures: dict[str, Any] = {}
    unet, size = card.pipe(name).unet, (card.sizes[name] or 64) // 8
    more: dict[str, Any] = {"device": card.device, "dtype": torch.float16}
    for rows in (2, 8, 32):
        sample = torch.randn(rows, unet.config.in_channels, size, size, **more)
        texts = torch.randn(rows, 77, unet.config.cross_attention_dim, **more)
        added = {}
        if name == "sdxl":
            conditions = {"text_embeds": torch.randn(rows, 1280, **more), "time_ids": torch.ones(rows, 6, **more)}
            added = {"added_cond_kwargs": conditions}
        step = torch.tensor(5.0, device=card.device)
        forward = partial(unet, sample, step, encoder_hidden_states=texts, return_dict=False, **added)
        with torch.no_grad():
            eager = card.seconds(forward, 3, 3)
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                forward()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                forward()
            replay = card.seconds(graph.replay, 3, 2)
        figures |= {f"eager_{rows}_ms": 1e3 * eager, f"graph_{rows}_ms": 1e3 * replay}
        del graph
        card.free()
    return "figures", figures


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
        batches = [pipeline.generate(*_asked(2, None)) for _ in range(2)]
    finally:
        del vae.decode
    made = [isinstance(picture, Image) for batch in batches for picture in batch]
    return _holds(all(made) and len(made) == 4), {"decoding": pipeline.decoding, "vae": str(vae.dtype)}


def fits(card: Card) -> Verdict:
    """Guided SDXL in the largest batch, with a CLIP beside it, stays whole in 22 GiB."""
    import open_clip

    clip = open_clip.create_model(card.clip, pretrained=None, device=card.device).eval()
    pixels = torch.randn(card.batches[-1], 3, 224, 224, device=card.device)
    with torch.inference_mode():
        seconds = card.seconds(partial(clip.encode_image, pixels))
    pipeline, halving = card.pipeline("sdxl", 2), Halving()
    with card.limited(22):
        latents = halving.run(lambda part: pipeline.denoise(*zip(*part, strict=True)), _pairs(card.batches[-1]))
        fine = [each for each in latents if not isinstance(each, Exception)]
        pictures = pipeline.decode(fine) if fine else []
    peak = torch.cuda.max_memory_allocated() / GIB if card.real else 0.0
    figures = {"images": len(pictures), "together": halving.limit or card.batches[-1], "peak_gib": peak}
    whole = len(pictures) == card.batches[-1] and halving.limit is None
    return _holds(whole), figures | {"clip_ms_an_image": 1e3 * seconds / len(pixels), "decoding": pipeline.decoding}


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


def dead_context(card: Card) -> Verdict:
    """After an assertion on the card, which leaves a dead context, the probe says so."""
    done = subprocess.run([sys.executable, "-c", _STICKY], capture_output=True, text=True, timeout=120)
    lines: Sequence[str] = done.stdout.splitlines()
    return _holds(len(lines) == 3 and "the CUDA context is dead" in lines[-1]), {"lines": lines[1:]}


def energy(card: Card) -> Verdict:
    """The counter rises while a batch is made, by steps that are short beside it."""
    from fairsweep.engine.device import Cuda

    meter, pipeline = Cuda().meter(), card.pipeline("sd15", card.steps)
    pipeline.denoise(*_asked(card.batches[-1]))
    before, started = meter.joules(), time.perf_counter()
    pipeline.denoise(*_asked(card.batches[-1]))
    torch.cuda.synchronize()
    after, seconds = meter.joules(), time.perf_counter() - started
    if before is None or after is None:
        return "refuted", {"reason": meter.reason}
    return _holds(after > before), {"joules": after - before, "seconds": seconds, "watts": (after - before) / seconds}


def shared_card(card: Card) -> Verdict:
    """A sweep by two actors on one card is complete, on that card."""
    from rich.console import Console

    from fairsweep.engine.cluster import connected
    from fairsweep.engine.run import Run
    from fairsweep.shipped import path
    from fairsweep.spec import RunSpec, load_spec
    from fairsweep.store import Store

    run = RunSpec(batch_size=16, actors=2, gpus_per_actor=0.5, cpus_per_actor=1)
    spec = load_spec(path("jobs") / "demo.yaml").model_copy(update={"seeds": tuple(range(8)), "run": run})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        with store.lock(), connected(None, run):
            outcome = Run(spec, store, Console(quiet=True)).execute()
    on_card = bool(outcome.places) and all("gpu 0" in place for place in outcome.places)
    figures = {"made": outcome.made, "labelled": outcome.labelled, "places": outcome.places}
    return _holds(outcome.complete and on_card), figures | {"failed": [why for _, why in outcome.failed]}


PARTS = (
    Part("environment", environment),
    Part("the wrapper adds no wait for the card", synchronisations, needs_card=True),
    Part("half precision rounds as SEGA's does", rounding),
    Part("neighbours change no pixel", neighbours),
    Part("a failed batch holds no memory", failures),
    Part("types of the denoiser", types),
    Part("decoding, sd15", partial(decoding, name="sd15")),
    Part("the cost of the edit", edit_cost),
    Part("CUDA graph, sd15", partial(graph, name="sd15"), needs_card=True),
    Part("energy", energy, needs_card=True),
    Part("speed, sd15", partial(speed, name="sd15")),
    Part("out of memory while decoding", decode_out_of_memory),
    Part("SDXL beside CLIP in 22 GiB", fits),
    Part("decoding, sdxl", partial(decoding, name="sdxl")),
    Part("CUDA graph, sdxl", partial(graph, name="sdxl"), needs_card=True),
    Part("a dead context", dead_context, needs_card=True),
    Part("two actors on a card", shared_card, needs_card=True),
    Part("speed, sdxl", partial(speed, name="sdxl")),
)
