"""Time the guidance wrapper beside the stock pipeline and diffusers' Semantic Guidance, in one run.

Options that change speed, each measured alone against the plain wrapper: `compile` (torch.compile of the denoiser,
dynamic batch), `channels-last` (memory layout of convolutions), `bf16` (bfloat16 weights and activations: approximate,
images differ from float32's), `fused-attention` (query, key and value in one product), `cached-text` (each distinct
prompt and concept is encoded once, as in a sweep), `concepts-every-2` and `-3` (what concepts say is used for
so many steps: approximate).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial

import torch

from fairsweep.bench.architectures import ARCHITECTURES, build
from fairsweep.errors import FairsweepError, near
from fairsweep.families import family_of
from fairsweep.families.texts import TextCache
from fairsweep.guidance import toward
from fairsweep.guidance.steering import guide
from fairsweep.pipelines.decoding import Decoder
from fairsweep.pipelines.precision import check_device, products, weights_type
from fairsweep.portraits.defaults import FAIR

PROMPT = "a photo of the face of a firefighter"
PAIR = ("female person", "male person")
GUIDANCE_SCALE = 7.0
FAIR_DIFFUSION = {
    "scale": 4.0,
    "threshold": 0.95,
    "warmup_steps": 5,
    "cooldown_steps": None,
    "momentum_scale": 0.5,
    "momentum_beta": 0.6,
}
OPTIONS = (
    "compile",
    "channels-last",
    "bf16",
    "fused-attention",
    "cached-text",
    "concepts-every-2",
    "concepts-every-3",
)


def run(
    architecture: str = "portraits",
    batch: int = 16,
    steps: int = 20,
    repeats: int = 5,
    options: Iterable[str] = (),
    size: int | None = None,
    depth: float = 1.0,
    device: str | None = None,
    dtype: str | None = None,
) -> dict[str, float]:
    """Return figures by name: images per second, denoiser rows per image and per second, TFLOP/s, gains.

    size: pixels per side (the model's own where None). dtype: as in a spec; where None float16 on a GPU, else float32.
    All draw on the same device at the same dtype, and decode as sweeps do. repeats: the fastest of so many counts.
    Guidance is a pair of concepts at Fair Diffusion's settings, on portraits at the shipped ones; Semantic Guidance
    gets the same.
    """
    for name, known, what in (
        (architecture, ARCHITECTURES, "architecture"),
        *((o, OPTIONS, "option") for o in options),
    ):
        if name not in known:
            raise FairsweepError(f"unknown {what} {name!r}{near(name, known)}")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or ("float16" if device == "cuda" else "float32")
    check_device(architecture, dtype, torch.device(device))
    settings = FAIR if architecture == "portraits" else FAIR_DIFFUSION
    pipe = build(architecture, depth).to(device, weights_type(dtype))
    return timed(Bench(pipe, settings, batch, steps, repeats, size), architecture, options, dtype)


def timed(bench: "Bench", architecture: str, options: Iterable[str], dtype: str) -> dict[str, float]:
    """Return the figures of `run` for a pipeline that is there."""
    with products(dtype):
        return _figures(bench, architecture, options)


def _figures(bench: "Bench", architecture: str, options: Iterable[str]) -> dict[str, float]:
    batch, steps = bench.batch, bench.steps
    figures = {"threads": float(torch.get_num_threads()), "batch": float(batch), "steps": float(steps)}
    draws: dict[str, Callable] = {"stock": bench.stock}
    if architecture in ("portraits", "sd15"):
        draws |= {"sega_one_per_call": partial(bench.sega, 1), "sega_batch": partial(bench.sega, batch)}
    draws["wrapper"] = bench.wrapper
    speeds = {
        name: (1 if name == "sega_one_per_call" else batch) / seconds for name, seconds in bench.fastest(draws).items()
    }
    figures |= {f"{name}_images_per_second": speed for name, speed in speeds.items()}
    for name in speeds:
        if name.startswith("sega"):
            figures[f"wrapper_over_{name}"] = speeds["wrapper"] / speeds[name]
    figures |= bench.rows()
    for option in options:
        figures[f"gain_of_{option.replace('-', '_')}"] = bench.gain(option)
    return figures


@contextmanager
def applied(option: str, pipe) -> Iterator[None]:
    """Change the pipeline's denoiser (bf16: all of the pipeline) by one option inside the block."""
    name = family_of(pipe).denoiser
    denoiser = getattr(pipe, name)
    types = {part: part.dtype for part in pipe.components.values() if isinstance(part, torch.nn.Module)}
    if option == "compile":
        setattr(pipe, name, torch.compile(denoiser, dynamic=True))
    elif option == "channels-last":
        denoiser.to(memory_format=torch.channels_last)
    elif option == "bf16":
        pipe.to(torch.bfloat16)
    else:
        denoiser.fuse_qkv_projections()
    try:
        yield
    finally:
        setattr(pipe, name, denoiser)
        for part, dtype in types.items():
            part.to(dtype)
        if option == "channels-last":
            denoiser.to(memory_format=torch.contiguous_format)
        if option == "fused-attention":
            denoiser.unfuse_qkv_projections()


class Bench:
    """A pipeline and how it draws: `batch` images of `steps` steps, the fastest of `repeats`; size: pixels a side."""

    def __init__(self, pipe, settings: dict, batch: int, steps: int, repeats: int, size: int | None):
        self.settings = settings
        self.pipe, self.batch, self.steps, self.repeats = pipe, batch, steps, repeats
        self.family = family_of(pipe)
        size = size or self.family.size(pipe)
        self.decoder = Decoder(pipe, self.family, size, size)
        self.call = {
            "num_inference_steps": steps,
            "guidance_scale": GUIDANCE_SCALE,
            "height": size,
            "width": size,
        }
        self.texts: TextCache | None = None

    def fastest(self, draws: dict[str, Callable[[], object]]) -> dict[str, float]:
        """Return the fastest seconds of each; they take turns, so that a busy spell slows all, and warm up once."""
        times: dict[str, list[float]] = {name: [] for name in draws}
        for _ in range(self.repeats + 1):
            for name, draw in draws.items():
                self._synchronise()
                started = time.perf_counter()
                draw()
                self._synchronise()
                times[name].append(time.perf_counter() - started)
        return {name: min(taken[1:]) for name, taken in times.items()}

    def stock(self) -> None:
        self._draw(self.pipe, self.batch, latent=False)

    def wrapper(self, latent: bool = False, concepts_every: int = 1) -> None:
        edit = toward(*PAIR, **self.settings, concepts_every=concepts_every)
        with guide(self.pipe, [edit] * self.batch, self.texts) as guided:
            self._draw(self.pipe, self.batch, latent)
        self.guided_rows = guided.rows

    @cached_property
    def sega_pipe(self):
        import diffusers

        parts = {name: part for name, part in self.pipe.components.items() if name != "image_encoder"}
        pipe = diffusers.SemanticStableDiffusionPipeline(**parts, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def sega(self, images: int) -> None:
        with torch.inference_mode():
            self.decoder.decode(self.sega_latents(images))

    def sega_latents(self, images: int, **more) -> torch.Tensor:
        """Return the latents that SEGA makes of the same images."""
        return self.latents(
            self.sega_pipe,
            images,
            editing_prompt=list(PAIR),
            reverse_editing_direction=[False, True],
            edit_guidance_scale=self.settings["scale"],
            edit_threshold=self.settings["threshold"],
            edit_warmup_steps=self.settings["warmup_steps"],
            edit_cooldown_steps=self.settings["cooldown_steps"],
            edit_momentum_scale=self.settings["momentum_scale"],
            edit_mom_beta=self.settings["momentum_beta"],
            **more,
        )

    def rows(self) -> dict[str, float]:
        """Return denoiser rows per image, and per second beside the stock pipeline's.

        kept: of the stock pipeline's at the same rows per forward. kept of joined: of its rows per second where each
        forward holds a step's rows and those of its concepts at once, which have a forward of their own here.
        Without decoding, and with every text encoded before, for all.
        """
        with guide(self.pipe, [None]) as stock:
            self._draw(self.pipe, 1, latent=True)
        stock_rows = stock.rows
        joined = max(1, round(self.guided_rows / stock_rows))
        draws: dict[str, Callable[[], object]] = {
            "stock": partial(self._draw, self.pipe, self.batch, latent=True),
            "joined": partial(self._draw, self.pipe, joined, latent=True),
            "wrapper": partial(self.wrapper, latent=True),
        }
        with self._texts_cached():
            seconds = self.fastest(draws)
        stock_speed, speed = self.batch * stock_rows / seconds["stock"], self.guided_rows / seconds["wrapper"]
        flops = self._flops_per_row()
        return {
            "stock_rows_per_image": float(stock_rows),
            "wrapper_rows_per_image": self.guided_rows / self.batch,
            "stock_rows_per_second": stock_speed,
            "wrapper_rows_per_second": speed,
            "rows_per_second_kept": speed / stock_speed,
            "rows_per_second_kept_of_joined": speed * seconds["joined"] / (joined * stock_rows),
            "gflop_per_row": flops / 1e9,
            "wrapper_tflop_per_second": flops * speed / 1e12,
        }

    def gain(self, option: str) -> float:
        """Return how many times faster the wrapper is with one option."""
        if option.startswith("concepts-every-"):
            reused = partial(self.wrapper, concepts_every=int(option.rpartition("-")[2]))
            seconds = self.fastest({"plain": self.wrapper, option: reused})
            return seconds["plain"] / seconds[option]
        plain = self.fastest({option: self.wrapper})[option]
        with self._texts_cached() if option == "cached-text" else applied(option, self.pipe):
            return plain / self.fastest({option: self.wrapper})[option]

    @contextmanager
    def _texts_cached(self) -> Iterator[None]:
        self.texts = TextCache(self.pipe, self.family)
        try:
            yield
        finally:
            self.texts = None

    def _draw(self, pipe, images: int, latent: bool, **more) -> None:
        latents = self.latents(pipe, images, **more)
        if not latent:
            with torch.inference_mode():
                self.decoder.decode(latents)

    @torch.inference_mode()
    def latents(self, pipe, images: int, **more) -> torch.Tensor:
        """Return the latents of so many images, of the seeds 0, 1, ..."""
        generators = [torch.Generator().manual_seed(seed) for seed in range(images)]
        prompts = self._prompts(images)
        return pipe(**prompts, generator=generators, output_type="latent", **self.call, **more).images

    def _prompts(self, images: int) -> dict:
        if self.texts is None:
            return {"prompt": [PROMPT] * images}
        found = self.texts.encode([PROMPT] * images)
        if self.family.name == "flux":  # whose second branch has a scale of its own, left at none
            return found
        empty = self.texts.encode([None] * images)
        return found | {f"negative_{name}": value for name, value in empty.items()}

    def _flops_per_row(self) -> float:
        from torch.utils.flop_counter import FlopCounterMode

        denoiser, seen = getattr(self.pipe, self.family.denoiser), []
        with FlopCounterMode(display=False) as counter, guide(self.pipe, [None]) as guided:
            before = denoiser.forward

            def count(*args, **kwargs):
                start = counter.get_total_flops()
                output = before(*args, **kwargs)
                seen.append(counter.get_total_flops() - start)
                return output

            denoiser.forward = count
            try:
                call = self.call | {"num_inference_steps": 1}
                self.pipe(PROMPT, generator=torch.Generator().manual_seed(0), output_type="latent", **call)
            finally:
                del denoiser.forward
            return sum(seen) / guided.rows

    def _synchronise(self) -> None:
        if self.pipe.device.type == "cuda":
            torch.cuda.synchronize()
