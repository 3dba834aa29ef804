"""An open_clip model: texts and images as features of unit length in one space."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL.Image import Image

from fairsweep.builtin import resolve_clip
from fairsweep.errors import ModelLoadError
from fairsweep.hub import reason_of


class Clip:
    """Load an open_clip model onto a device; raises ModelLoadError.

    model: an architecture, hf-hub:<id>, local-dir:<folder> or builtin:portraits. pretrained: the tag or checkpoint of
    an architecture's weights.
    """

    def __init__(self, model: str, pretrained: str | None = None, device: str = "cpu"):
        import open_clip

        source = resolve_clip(model)
        try:
            loaded = open_clip.create_model_from_pretrained(source, pretrained=pretrained, device=device)
            self.tokenizer = open_clip.get_tokenizer(source)
        except Exception as error:
            weights = " ".join(part for part in (model, pretrained) if part)
            raise ModelLoadError(f"open_clip model {weights} {reason_of(error)}") from None
        self.model: Any = loaded[0].eval()
        self.preprocess: Any = loaded[1]
        self.device = device

    @property
    def scale(self) -> torch.Tensor:
        """Return the factor that makes cosines logits."""
        return self.model.logit_scale.exp()

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the texts' features, [texts, dimensions]."""
        return self.model.encode_text(self.tokenizer(list(texts)).to(self.device), normalize=True)

    @torch.inference_mode()
    def embed_images(self, images: Sequence[Image]) -> torch.Tensor:
        """Return the images' features, [images, dimensions]."""
        return self.model.encode_image(self._pixels(images).to(self.device), normalize=True)

    def _pixels(self, images: Sequence[Image]) -> torch.Tensor:
        """Return what the model's own transforms make of the images, to the last bit.

        Those that open_clip ends with, from integers to numbers and to their mean and deviation, treat each pixel by
        itself: they run once over all images.
        """
        from torchvision.transforms import Normalize, ToTensor

        images = [image if image.mode == "RGB" else image.convert("RGB") for image in images]
        *first, to_tensor, normalize = self.preprocess.transforms
        if not isinstance(to_tensor, ToTensor) or not isinstance(normalize, Normalize):
            return torch.stack([self.preprocess(image) for image in images])
        for transform in first:
            images = [transform(image) for image in images]
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
        return normalize(pixels.permute(0, 3, 1, 2).contiguous().float().div(255))
