"""Run the denoiser on concepts: rows of their own, in a forward of their own, beside the pipeline's."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from diffusers.hooks.hooks import StateManager

from fairsweep.errors import FairsweepError
from fairsweep.guidance.arguments import PARTS, Path, Rows, count, is_list_of_tensors, join, like, rebuild, take
from fairsweep.guidance.locate import Call, Layout
from fairsweep.guidance.recording import Recorder

# Positions of tokens: they have no rows for images, even where there are as many tokens as rows.
_SHARED = ("img_ids", "txt_ids", "image_rotary_emb")


@dataclass
class _Group:
    """Rows whose texts have one shape, so that one forward takes them."""

    places: list[int]  # which of the asked rows
    indices: list[int]  # the row of the call that each is made from
    rows: torch.Tensor  # the same, on the device
    text: dict[Path, Any]  # argument -> the rows' texts


Text: TypeAlias = dict[int, list[Any]]  # number of an encoding -> what it returns for one text


def encoded(layout: Layout, recorder: Recorder, concept: str | None) -> Text:
    """Return a concept as a layout's rows take it; None is the empty condition."""
    return {
        number: recorder.unconditional(number) if concept is None else recorder.concept(number, concept)
        for number in layout.encodings
    }


def own_text(layout: Layout, recorder: Recorder, images: int) -> Text:
    """Return the last image's own prompt, as it was encoded for the call."""
    own = {number: list(recorder.encodings[number].outputs) for number in layout.encodings}
    for source in layout.text.values():
        outputs, dim = own[source.encoding], source.dim
        value = recorder.encodings[source.encoding].outputs[source.output]
        if dim is not None:
            last = count(value, dim) - 1
            outputs[source.output] = (
                value.narrow(dim, last, 1) if isinstance(value, torch.Tensor) else value[last : last + 1]
            )
    return own


class ConceptRows:
    """Make and run the rows of one layout. texts: the distinct ones of a batch, see `encoded`."""

    def __init__(self, layout: Layout, images: int, texts: list[Text]):
        self._layout, self._images, self._texts = layout, images, texts
        # Where texts come as lists of rows, so do latents: as many tensors as rows are rows.
        self._lists = any(
            isinstance(self._texts[0][source.encoding][source.output], list) for source in layout.text.values()
        )
        self._groups: dict[tuple, list[_Group]] = {}

    def run(
        self, denoiser: Callable, call: Call, asked: tuple[tuple[int, int], ...], context: str
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Yield (places among `asked`, outputs [rows, ...]) of each forward.

        asked: (image, concept) of each row. context: names the state of a caching denoiser.
        """
        if asked not in self._groups:
            self._groups[asked] = self._grouped(call, asked)
        for number, group in enumerate(self._groups[asked]):
            args, kwargs = self._arguments(call, group)
            with _cache_context(denoiser, f"{context}.{number}"):
                yield group.places, rows_of(denoiser(*args, **kwargs))

    def _grouped(self, call: Call, asked: tuple[tuple[int, int], ...]) -> list[_Group]:
        by_shape: dict[str, list[int]] = {}
        for place, (_, concept) in enumerate(asked):
            # What the rows share has one row too where there is one: then each runs alone, and none need be told.
            alone = f"{place} " if self._layout.rows == 1 else ""
            by_shape.setdefault(alone + _shape(self._texts[concept]), []).append(place)
        groups = []
        for places in by_shape.values():
            indices = [self._layout.block * self._images + asked[place][0] for place in places]
            rows = torch.tensor(indices, device=call.output.device)
            text = {path: self._text(path, [asked[place][1] for place in places]) for path in self._layout.text}
            groups.append(_Group(places, indices, rows, text))
        return groups

    def _text(self, path: Path, concepts: list[int]) -> Any:
        source = self._layout.text[path]
        values = [self._texts[concept][source.encoding][source.output] for concept in concepts]
        return values[0] if source.dim is None or values[0] is None else join(values, source.dim)

    def _arguments(self, call: Call, group: _Group) -> tuple[tuple, dict[str, Any]]:
        layout = self._layout

        def change(path: Path, value: Any) -> Any:
            if path in layout.text:
                text, length = group.text[path], layout.text[path].length
                if length is not None:
                    return torch.cat([like(text, value), self._taken(value, group)[:, length:]], 1)
                if text is not None:
                    # In the argument's type from the first step on.
                    text = group.text[path] = like(text, value)
                return text
            if len(path) < 2:
                return PARTS
            if path[-1] in _SHARED:
                return value
            if isinstance(value, torch.Tensor):
                return self._taken(value, group) if value.dim() else value
            if isinstance(value, list | tuple) and self._counts_rows(value):
                return self._taken(value, group)
            return PARTS

        arguments = rebuild(call.arguments, change)
        return arguments["args"], arguments["kwargs"]

    def _counts_rows(self, value: list | tuple) -> bool:
        if len(value) != self._layout.rows:
            return False
        # Elsewhere tensors may have the rows inside, and be as many by chance (a ControlNet's residuals).
        return (
            self._lists
            or not is_list_of_tensors(value)
            or any(part.shape[:1] != (self._layout.rows,) for part in value)
        )

    def _taken(self, value: Rows, group: _Group) -> Rows:
        if count(value, 0) != self._layout.rows:
            return value
        rows = group.rows.to(value.device) if isinstance(value, torch.Tensor) else group.rows
        return take(value, rows, group.indices, 0)


def rows_of(output: Any) -> torch.Tensor:
    """Return a denoiser's output as [rows, ...], however it returns it."""
    value = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)
    return torch.stack(list(value)) if isinstance(value, list | tuple) else value


def _shape(texts: dict[int, list[Any]]) -> str:
    def shape(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return tuple(value.shape)
        return [shape(part) for part in value] if isinstance(value, list | tuple) else None

    return repr({number: shape(outputs) for number, outputs in texts.items()})


def check_caches(module: torch.nn.Module, name: str) -> None:
    """Raise FairsweepError for a cache that takes every call for the same: concepts would get what prompts left there.

    Most of diffusers' caches keep a state for each context; what stands in hooks without one is shared by all.
    """
    for part in module.modules():
        for hook in getattr(getattr(part, "_diffusers_hook", None), "hooks", {}).values():
            if hook._is_stateful and not any(isinstance(value, StateManager) for value in vars(hook).values()):
                raise FairsweepError(
                    f"{name} has a cache that cannot tell concepts from prompts ({type(hook).__name__}): call "
                    "disable_cache(), or enable one with contexts, such as FirstBlockCacheConfig"
                )


def _cache_context(denoiser: Any, name: str) -> AbstractContextManager:
    return denoiser.cache_context(name) if hasattr(denoiser, "cache_context") else nullcontext()
