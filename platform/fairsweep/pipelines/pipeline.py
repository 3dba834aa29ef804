"""One loaded model that turns conditionings and seeds into images."""

from collections.abc import Sequence

import torch
from PIL import Image

from fairsweep.families import family_of
from fairsweep.families.texts import TextCache
from fairsweep.guidance.concepts import Conditioning
from fairsweep.guidance.denoiser import guide

_SLICED_DECODING_PIXELS = 512 * 512


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
        pipe.set_progress_bar_config(disable=True)
        # Large images are decoded one at a time, so that memory does not grow with the batch.
        if (model.width or 512) * (model.height or 512) >= _SLICED_DECODING_PIXELS and pipe.device.type != "cpu":
            pipe.vae.enable_slicing()

    @torch.inference_mode()
    def generate(self, conditionings: Sequence[Conditioning], seeds: Sequence[int]) -> list[Image.Image]:
        """Return one image per conditioning and seed.

        Prompts, seeds and edits may mix; each image comes from its own seed, whatever stands beside it.
        """
        # Noise is drawn on the CPU, so that a seed means the same on every device.
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with guide(self.pipe, [conditioning.edit for conditioning in conditionings], self._texts):
            return self.pipe(
                **self._conditioning(conditionings),
                num_inference_steps=self.model.steps,
                height=self.model.height,
                width=self.model.width,
                generator=generators,
                output_type="pil",
            ).images

    def _conditioning(self, conditionings: Sequence[Conditioning]) -> dict:
        negatives = [conditioning.negative_prompt or None for conditioning in conditionings]
        options = self._family.options(self.pipe, self.model.guidance_scale, any(negatives))
        embeddings = self._texts.encode([conditioning.prompt for conditioning in conditionings])
        unwanted = self._texts.encode(negatives)
        return embeddings | {f"negative_{name}": value for name, value in unwanted.items()} | options
