"""What models that embed images and texts in one space share: kept text embeddings, the image's label."""

from collections.abc import Callable, Sequence

import torch

from fairsweep.attributes import WHOLE_IMAGE
from fairsweep.classifiers.base import Label

_CAPACITY = 4096


class Texts:
    """Embed each distinct text once; `embed` maps texts to unit-length features [texts, dimensions]."""

    def __init__(self, embed: Callable[[list[str]], torch.Tensor]):
        self._embed = embed
        self._features: dict[str, torch.Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        if len(self._features) > _CAPACITY:
            self._features.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._features]
        if new:
            self._features.update(zip(new, self._embed(new), strict=True))
        return torch.stack([self._features[text] for text in texts])


def image_labels(features: torch.Tensor, texts: torch.Tensor) -> list[Label]:
    """Return each image's "_image" label: its alignment with its own prompt, and its embedding.

    features, texts: unit length, [images, dimensions].
    """
    alignment = (features * texts).sum(-1).tolist()
    return [
        Label(WHOLE_IMAGE, "", cosine, {}, embedding)
        for cosine, embedding in zip(alignment, features.float().tolist(), strict=True)
    ]
