"""An open_clip model: texts and images as features of unit length in one space."""

from collections.abc import Sequence
from typing import Any

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
        pixels = torch.stack([self.preprocess(image.convert("RGB")) for image in images])
        return self.model.encode_image(pixels.to(self.device), normalize=True)
