"""Encode each distinct text once: a sweep repeats its prompts and concepts thousands of times."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

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
        self._embeddings: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0

    def encode(self, texts: list[str | None], negative: bool = False) -> dict[str, Any]:
        """Return the embeddings of texts of one form, stacked: argument of the pipeline's call -> [texts, ...].

        None is the unconditional input. negative: they are for that branch.
        """
        rows = [self._one(text, negative) for text in texts]
        return {name: _stacked([row[name] for row in rows], self.family.dims.get(name, 0)) for name in rows[0]}

    def form(self, text: str | None, negative: bool = False) -> tuple:
        """Return the shapes of a text's embeddings: only texts of one form stack as each is encoded alone."""
        return self.family.kind(text), *(_form(value) for value in self._one(text, negative).values())

    def keep(self, key: Hashable, encode: Callable[[], Any]) -> Any:
        """Return what was encoded under the key before, or `encode()`: tensors, nested in lists and dictionaries."""
        if key not in self._embeddings:
            self._embeddings[key] = encode()
            self._bytes += _bytes(self._embeddings[key])
        self._embeddings.move_to_end(key)
        embeddings = self._embeddings[key]
        while self._bytes > self.capacity:
            self._bytes -= _bytes(self._embeddings.popitem(last=False)[1])
        return embeddings

    @torch.no_grad()
    def _one(self, text: str | None, negative: bool) -> dict[str, Any]:
        for encoder in self.family.encoders:
            if getattr(self.pipe, encoder, None) is None:
                raise FairsweepError(
                    f"the pipeline has no {encoder} to encode {text or ''!r} with: load it with its text encoders"
                )
        key = ("prompts", text, negative, getattr(self.pipe, "_clip_skip", None))
        return self.keep(key, lambda: self.family.encode(self.pipe, text, negative))


def _stacked(rows: list[Any], dim: int) -> Any:
    if rows[0] is None:
        return None
    return torch.cat(rows, dim) if isinstance(rows[0], torch.Tensor) else [each for row in rows for each in row]


def _form(value: Any) -> Any:
    # Lists hold a tensor for each text, of a length of its own.
    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__


def _bytes(embeddings: Any) -> int:
    # Of the whole storage: an embedding that is a view holds all of it.
    if isinstance(embeddings, torch.Tensor):
        return embeddings.untyped_storage().nbytes()
    if isinstance(embeddings, str):
        return len(embeddings)
    parts: Iterable[Any] = embeddings.values() if isinstance(embeddings, dict) else embeddings or ()
    return sum(map(_bytes, parts))
