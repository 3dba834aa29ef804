"""One loaded model that turns conditionings and seeds into images."""

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from PIL import Image, ImageOps

from fairsweep.families import family_of
from fairsweep.families.texts import TextCache
from fairsweep.guidance.concepts import Conditioning
from fairsweep.guidance.steering import guide
from fairsweep.pipelines.decoding import Decoder
from fairsweep.pipelines.precision import products

_SCALED = Image.Resampling.LANCZOS


class Pipeline:
    """A diffusers pipeline at the sampling options of one ModelSpec.

    pipe: the stock diffusers pipeline. family: the name of its family. revision: the commit it was loaded
    from, or None where there is none.
    """

    def __init__(self, pipe, model, revision: str | None = None):
        self._family = family_of(pipe)
        self.pipe, self.model, self.revision = pipe, model, revision
        self.family = self._family.name
        self.device = pipe._execution_device
        self._texts = TextCache(pipe, self._family)
        own = self._family.size(pipe)
        self._size = {"height": model.height or own, "width": model.width or own}
        self._decoder = Decoder(pipe, self._family, **self._size)
        self._takes = inspect.signature(type(pipe).__call__).parameters
        self._rewritten = lru_cache(4096)(self._rewrite)
        pipe.set_progress_bar_config(disable=True)

    @property
    def decoding(self) -> str:
        """Return how latents are decoded now, in words: it changes when memory runs out."""
        return self._decoder.way

    def worded(self, prompt: str) -> str:
        """Return the prompt as the denoiser is told it: where the model says so, as its rewriter words it.

        Rewriters draw their words at random; here the prompt is their seed, so that all of its images have one text.
        """
        return self._rewritten(prompt) if self.model.rewrite else prompt

    def _rewrite(self, prompt: str) -> str:
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.inference_mode():
            torch.manual_seed(int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=7).digest()))
            return self._family.rewritten(self.pipe, prompt, **self._size)

    def generate(
        self, conditionings: Sequence[Conditioning], seeds: Sequence[int], pictures: Sequence[Image.Image] = ()
    ) -> list[Image.Image]:
        """Return one image per conditioning and seed, and per picture for a pipeline that edits them.

        Prompts, seeds and edits may mix; each image comes from its own seed, whatever stands beside it.
        """
        return self.decode(self.denoise(conditionings, seeds, pictures))

    @torch.inference_mode()
    def denoise(
        self, conditionings: Sequence[Conditioning], seeds: Sequence[int], pictures: Sequence[Image.Image] = ()
    ) -> torch.Tensor:
        """Return the latents of one image per conditioning and seed: [images, ...], as the denoiser lays them out.

        pictures: what each starts from; one of another size is scaled to cover the image's and cropped at its middle.
        Some pipelines pad the prompts of a call to the longest, and an image depends on its padding: there each length
        has a call of its own, so that an image is what it is alone. So has each image where prompts are encoded
        together with pictures.
        """
        conditionings = [replace(asked, prompt=self.worded(asked.prompt)) for asked in conditionings]
        calls: dict[tuple, list[int]] = {}
        for place, asked in enumerate(conditionings):
            form = self._texts.form(asked.prompt), self._texts.form(asked.negative_prompt or None, negative=True)
            calls.setdefault((*form, place if self._family.alone else None), []).append(place)
        latents: list[torch.Tensor] = [torch.empty(0)] * len(conditionings)
        with products(self.model.dtype):
            for places in calls.values():
                made = self._denoised(
                    [conditionings[place] for place in places],
                    [seeds[place] for place in places],
                    [pictures[place] for place in places] if pictures else (),
                )
                for place, image in zip(places, made, strict=True):
                    latents[place] = image
        return torch.stack(latents)

    def _denoised(
        self, conditionings: Sequence[Conditioning], seeds: Sequence[int], pictures: Sequence[Image.Image] = ()
    ) -> torch.Tensor:
        # Noise is drawn on the CPU, so that a seed means the same on every device.
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        edits = [conditioning.counted(self.model.steps_taken).edit for conditioning in conditionings]
        with guide(self.pipe, edits, self._texts):
            return self.pipe(
                **self._conditioning(conditionings),
                **self._family.steps(self.model.steps),
                **self._sources(pictures),
                generator=generators,
                output_type="latent",
            ).images

    @torch.inference_mode()
    def decode(self, latents: Sequence[torch.Tensor]) -> list[Image.Image]:
        """Return the images of latents, from one call of `denoise` or from several."""
        with products(self.model.dtype):
            return self._decoder.decode(torch.stack(tuple(latents)))

    def _sources(self, pictures: Sequence[Image.Image]) -> dict[str, Any]:
        """Return the call's arguments of size, and of the pictures that it starts from."""
        if not pictures:
            return self._size
        size = self._size["width"], self._size["height"]
        fitted = [picture if picture.size == size else ImageOps.fit(picture, size, _SCALED) for picture in pictures]
        options = self._family.sources(fitted, **self._size)
        if self.model.strength is not None:
            options["strength"] = self.model.strength
        # Where a call takes no size, it is that of the pictures.
        return options | {name: side for name, side in self._size.items() if name in self._takes}

    def _conditioning(self, conditionings: Sequence[Conditioning]) -> dict:
        negatives = [conditioning.negative_prompt or None for conditioning in conditionings]
        options = self._family.options(self.pipe, self.model.guidance_scale, any(negatives))
        embeddings = self._texts.encode([conditioning.prompt for conditioning in conditionings])
        unwanted = self._texts.encode(negatives, negative=True)
        return embeddings | {f"negative_{name}": value for name, value in unwanted.items()} | options
