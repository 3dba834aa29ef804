"""Draw portraits with the built-in pipeline for its own evaluation: stock diffusers pipelines, a pipeline per core."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import torch
from diffusers import DiffusionPipeline, SemanticStableDiffusionPipeline, StableDiffusionPipeline
from PIL.Image import Image

from fairsweep.portraits.defaults import GUIDANCE_SCALE, PIPELINE, STEPS

BATCH_SIZE = 32


class Studio:
    """Draw lists of prompts, each image from its own seed, with one single-threaded pipeline per core."""

    def __init__(
        self,
        folder: Path = PIPELINE,
        advance: Callable[[int], None] = lambda n: None,
        workers: int | None = None,
        batch_size: int = BATCH_SIZE,
    ):
        self.folder, self.advance, self.batch_size = folder, advance, batch_size
        self.workers = workers or torch.get_num_threads()
        self._pipelines: dict[type, list[StableDiffusionPipeline]] = {}

    def draw(self, prompts: list[str], seeds: list[int], scale: float = GUIDANCE_SCALE) -> list[Image]:
        """Return one image per prompt and seed from the stock StableDiffusionPipeline."""

        def batch(pipeline: StableDiffusionPipeline, prompts: list[str], seeds: list[int]) -> list[Image]:
            return pipeline(
                prompts, guidance_scale=scale, num_inference_steps=STEPS, generator=_generators(seeds)
            ).images

        return self._spread(StableDiffusionPipeline, batch, prompts, seeds)

    def edit(
        self,
        prompts: list[str],
        seeds: list[int],
        concepts: list[str],
        reverse: list[bool],
        settings: dict,
        scale: float = GUIDANCE_SCALE,
    ) -> list[Image]:
        """Return one image per prompt and seed from diffusers' SemanticStableDiffusionPipeline, all pushed one way.

        `settings` is named as in `defaults.FAIR`.
        """
        options = {
            "editing_prompt": concepts,
            "reverse_editing_direction": reverse,
            "edit_guidance_scale": settings["scale"],
            "edit_threshold": settings["threshold"],
            "edit_warmup_steps": settings["warmup_steps"],
            "edit_cooldown_steps": settings["cooldown_steps"],
            "edit_momentum_scale": settings["momentum_scale"],
            "edit_mom_beta": settings["momentum_beta"],
        }

        def batch(pipeline: StableDiffusionPipeline, prompts: list[str], seeds: list[int]) -> list[Image]:
            latents = torch.cat([torch.randn((1, *_latent_shape(pipeline)), generator=g) for g in _generators(seeds)])
            return pipeline(prompts, guidance_scale=scale, num_inference_steps=STEPS, latents=latents, **options).images

        return self._spread(SemanticStableDiffusionPipeline, batch, prompts, seeds)

    def _spread(self, kind: type, batch: Callable, prompts: list[str], seeds: list[int]) -> list[Image]:
        free: SimpleQueue = SimpleQueue()
        for pipeline in self._loaded(kind):
            free.put(pipeline)

        def work(start: int) -> list[Image]:
            rows = slice(start, start + self.batch_size)
            pipeline = free.get()
            try:
                images = batch(pipeline, prompts[rows], seeds[rows])
            finally:
                free.put(pipeline)
            self.advance(len(images))
            return images

        starts = range(0, len(prompts), self.batch_size)
        if self.workers == 1:
            # In this thread: the threads of a second OpenMP team would fight with its own.
            return [image for start in starts for image in work(start)]
        threads = torch.get_num_threads()
        torch.set_num_threads(max(1, threads // self.workers))
        try:
            with ThreadPoolExecutor(self.workers) as pool:
                return [image for images in pool.map(work, starts) for image in images]
        finally:
            torch.set_num_threads(threads)

    def _loaded(self, kind: type[DiffusionPipeline]) -> list[StableDiffusionPipeline]:
        # Loaded here, one after the other: the libraries' loading code is not made for threads.
        while len(kept := self._pipelines.setdefault(kind, [])) < self.workers:
            pipeline = kind.from_pretrained(self.folder, dtype=torch.float32, safety_checker=None)
            pipeline.set_progress_bar_config(disable=True)
            kept.append(pipeline)
        return kept


def _generators(seeds: Iterable[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _latent_shape(pipeline: StableDiffusionPipeline) -> tuple[int, int, int]:
    config = pipeline.unet.config
    return (config.in_channels, config.sample_size, config.sample_size)
