"""One loaded model that turns conditionings and seeds into images."""

from collections.abc import Sequence

import torch
from PIL import Image

from fairsweep.families import family_of
from fairsweep.families.texts import TextCache
from fairsweep.guidance.concepts import Conditioning
from fairsweep.guidance.steering import guide
from fairsweep.pipelines.decoding import Decoder
from fairsweep.pipelines.precision import products


class Pipeline:
    """A diffusers pipeline at the sampling options of one ModelSpec.

    pipe: the stock diffusers pipeline. family: the name of its family. revision: the commit it was loaded
    from, or None where there is none.
    """

    def __init__(self, pipe, model, revision: str | None = None):
        self._family = family_of(pipe)
        self.pipe, self.model, self.revision = pipe, model, revision
        self.family = self._family.name
        self.device = pipe.device
        self._texts = TextCache(pipe, self._family)
        own = self._family.size(pipe)
        self._decoder = Decoder(pipe, self._family, model.height or own, model.width or own)
        pipe.set_progress_bar_config(disable=True)

    @property
    def decoding(self) -> str:
        """Return how latents are decoded now, in words: it changes when memory runs out."""
        return self._decoder.way

    def generate(self, conditionings: Sequence[Conditioning], seeds: Sequence[int]) -> list[Image.Image]:
        """Return one image per conditioning and seed.

        Prompts, seeds and edits may mix; each image comes from its own seed, whatever stands beside it.
        """
        return self.decode(self.denoise(conditionings, seeds))

    @torch.inference_mode()
    def denoise(self, conditionings: Sequence[Conditioning], seeds: Sequence[int]) -> torch.Tensor:
        """Return the latents of one image per conditioning and seed: [images, ...], as the denoiser lays them out."""
        # Noise is drawn on the CPU, so that a seed means the same on every device.
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        edits = [conditioning.counted(self.model.steps).edit for conditioning in conditionings]
        with products(self.model.dtype), guide(self.pipe, edits, self._texts):
            return self.pipe(
                **self._conditioning(conditionings),
                num_inference_steps=self.model.steps,
                height=self.model.height,
                width=self.model.width,
                generator=generators,
                output_type="latent",
            ).images

    @torch.inference_mode()
    def decode(self, latents: Sequence[torch.Tensor]) -> list[Image.Image]:
        """Return the images of latents, from one call of `denoise` or from several."""
        with products(self.model.dtype):
            return self._decoder.decode(torch.stack(tuple(latents)))

    def _conditioning(self, conditionings: Sequence[Conditioning]) -> dict:
        negatives = [conditioning.negative_prompt or None for conditioning in conditionings]
        options = self._family.options(self.pipe, self.model.guidance_scale, any(negatives))
        embeddings = self._texts.encode([conditioning.prompt for conditioning in conditionings])
        unwanted = self._texts.encode(negatives)
        return embeddings | {f"negative_{name}": value for name, value in unwanted.items()} | options
