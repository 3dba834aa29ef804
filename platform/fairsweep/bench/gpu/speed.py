"""What takes how long on a card, and how much energy."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from fairsweep.bench import guidance
from fairsweep.bench.gpu.card import Card
from fairsweep.bench.gpu.part import HALF, Verdict, images, verdict
from fairsweep.guidance.sega import directions


def forward_of(card: Card, unet: Any, name: str, rows: int) -> Callable[[], Any]:
    """Return a call of a U-Net on so many rows of noise."""
    size = (card.sizes[name] or 64) // 8
    more: dict[str, Any] = {"device": card.device, "dtype": unet.dtype}
    sample = torch.randn(rows, unet.config.in_channels, size, size, **more)
    texts = torch.randn(rows, 77, unet.config.cross_attention_dim, **more)
    added = {}
    if name == "sdxl":
        pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
        conditions = {"text_embeds": torch.randn(rows, pooled, **more), "time_ids": torch.ones(rows, 6, **more)}
        added = {"added_cond_kwargs": conditions}
    step = torch.tensor(5.0, device=card.device)
    return partial(unet, sample, step, encoder_hidden_states=texts, return_dict=False, **added)


def types(card: Card) -> Verdict:
    """Time a forward of the denoiser in each type."""
    milliseconds = {}
    for dtype in ("float32", "tf32", *HALF):
        with guidance.products(dtype):
            unet = card.pipe("sd15", guidance.weights_type(dtype)).unet
            forward = forward_of(card, unet, "sd15", card.batches[-1])
            with torch.inference_mode():
                milliseconds[f"{dtype}_ms"] = 1e3 * card.seconds(forward, 3, 2)
    return "figures", milliseconds


def layouts(card: Card, name: str) -> Verdict:
    """Time a forward of the denoiser with convolutions' weights laid out either way."""
    pipe, milliseconds = card.pipe(name), {}
    forward = forward_of(card, pipe.unet, name, card.batches[-1])
    for way, layout in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
        pipe.unet.to(memory_format=layout)
        with torch.inference_mode():
            milliseconds[f"{way}_ms"] = 1e3 * card.seconds(forward, 3, 2)
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
    unet = card.pipe(name).unet
    for rows in (2, 8, 32):
        forward = forward_of(card, unet, name, rows)
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


def classifier(card: Card) -> Verdict:
    """Time CLIP's image tower, which most classifiers are, in each type."""
    import open_clip

    figures = {}
    for dtype in (torch.float32, torch.float16):
        clip = open_clip.create_model(card.clip, pretrained=None, device=card.device).eval().to(dtype)
        pixels = torch.randn(card.batches[-1], 3, 224, 224, device=card.device, dtype=dtype)
        with torch.inference_mode():
            seconds = card.seconds(partial(clip.encode_image, pixels), 3, 2)
        figures[f"{str(dtype).removeprefix('torch.')}_ms_an_image"] = 1e3 * seconds / len(pixels)
    return "figures", figures


def compiled(card: Card) -> Verdict:
    """Tell how many times faster a compiled denoiser is, once it is compiled."""
    return "figures", {"gain": _bench(card).gain("compile")}


def reused(card: Card) -> Verdict:
    """Tell how many times faster it is where what concepts say serves two steps, or three."""
    bench = _bench(card)
    return "figures", {f"gain_{steps}": bench.gain(f"concepts-every-{steps}") for steps in (2, 3)}


def _bench(card: Card) -> guidance.Bench:
    return guidance.Bench(
        card.pipe("sd15"), guidance.FAIR_DIFFUSION, card.batches[-1], card.steps, 1, card.sizes["sd15"]
    )


def energy(card: Card) -> Verdict:
    """The counter rises while a batch is made, by steps that are short beside it."""
    from fairsweep.engine.device import Cuda

    meter, pipeline = Cuda().meter(), card.pipeline("sd15", card.steps)
    pipeline.denoise(*images(card.batches[-1]))
    before, started = meter.joules(), time.perf_counter()
    pipeline.denoise(*images(card.batches[-1]))
    torch.cuda.synchronize()
    after, seconds = meter.joules(), time.perf_counter() - started
    if before is None or after is None:
        return "refuted", {"reason": meter.reason}
    return verdict(after > before), {"joules": after - before, "seconds": seconds, "watts": (after - before) / seconds}
