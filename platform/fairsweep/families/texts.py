"""Encode each distinct text once: a sweep repeats its prompts and concepts thousands of times."""

from collections import OrderedDict

import torch
from diffusers import DiffusionPipeline

from fairsweep.errors import FairsweepError
from fairsweep.families.base import Family

# Some 800 texts of SDXL and 60 of FLUX: more than the concepts and the prompts that follow one another.
_CAPACITY_BYTES = 256 << 20


class TextCache:
    """Remember the embeddings of the texts used last, for a pipeline whose encoders stay as they are.

    capacity: bytes of embeddings to keep on the pipeline's device.
    """

    def __init__(self, pipe: DiffusionPipeline, family: Family, capacity: int = _CAPACITY_BYTES):
        self.pipe, self.family, self.capacity = pipe, family, capacity
        self._embeddings: OrderedDict[tuple, dict[str, torch.Tensor]] = OrderedDict()
        self._bytes = 0

    @torch.no_grad()
    def encode(self, texts: list[str | None], length: int | None = None) -> dict[str, torch.Tensor]:
        """Return the texts' embeddings, stacked: name as in `Family.text` -> [texts, ...].

        None is the unconditional input. length: tokens per text where a call of the pipeline chose them.
        """
        rows = [self._one(text, length) for text in texts]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def _one(self, text: str | None, length: int | None) -> dict[str, torch.Tensor]:
        key = (text, length, getattr(self.pipe, "_clip_skip", None))
        if key not in self._embeddings:
            for encoder in self.family.encoders:
                if getattr(self.pipe, encoder, None) is None:
                    raise FairsweepError(
                        f"the pipeline has no {encoder} to encode {text or ''!r} with: load it with its text encoders"
                    )
            self._embeddings[key] = self.family.encode(self.pipe, text, length)
            self._bytes += _bytes(self._embeddings[key])
        self._embeddings.move_to_end(key)
        embeddings = self._embeddings[key]
        while self._bytes > self.capacity:
            self._bytes -= _bytes(self._embeddings.popitem(last=False)[1])
        return embeddings


def _bytes(embeddings: dict[str, torch.Tensor]) -> int:
    # Of the whole storage: an embedding that is a view holds all of it.
    return sum(tensor.untyped_storage().nbytes() for tensor in embeddings.values())
