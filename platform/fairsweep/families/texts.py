"""Encode each distinct text once: a sweep repeats its prompts and concepts thousands of times."""

from collections import OrderedDict

import torch

from fairsweep.errors import FairsweepError
from fairsweep.families.base import Family


class TextCache:
    """Remember the embeddings of the texts used last, for a pipeline whose encoders stay as they are."""

    def __init__(self, pipe, family: Family, capacity: int = 256):
        self.pipe, self.family, self.capacity = pipe, family, capacity
        self._known: OrderedDict[tuple, dict[str, torch.Tensor]] = OrderedDict()

    @torch.no_grad()
    def encode(self, texts: list[str | None], length: int | None = None) -> dict[str, torch.Tensor]:
        """Return the texts' embeddings, stacked: name as in `Family.text` -> [texts, ...].

        None is the unconditional input. length: tokens per text where a call of the pipeline chose them.
        """
        rows = [self._one(text, length) for text in texts]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def _one(self, text: str | None, length: int | None) -> dict[str, torch.Tensor]:
        key = (text, length, getattr(self.pipe, "_clip_skip", None))
        if key not in self._known:
            for encoder in self.family.encoders:
                if getattr(self.pipe, encoder, None) is None:
                    raise FairsweepError(
                        f"the pipeline has no {encoder} to encode {text or ''!r} with: load it with its text encoders"
                    )
            self._known[key] = self.family.encode(self.pipe, text, length)
            if len(self._known) > self.capacity:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]
