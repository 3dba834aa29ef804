"""Find by value where a pipeline's text reaches its denoiser, and which rows are whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fairsweep.errors import FairsweepError
from fairsweep.guidance.arguments import Path, Rows, count, is_list_of_tensors, leaves
from fairsweep.guidance.recording import Recorder


@dataclass(frozen=True)
class Call:
    """One call of the denoiser: its arguments as the pipeline gave them, and its output, [rows, ...]."""

    args: tuple
    kwargs: dict[str, Any]
    output: torch.Tensor

    @property
    def arguments(self) -> dict[str, Any]:
        """Return both kinds of arguments under one root."""
        return {"args": self.args, "kwargs": self.kwargs}


@dataclass(frozen=True)
class Source:
    """Where a text argument comes from: an output of one `encode_prompt` call, and its dimension of texts (or None).

    length: of a mask of text that the pipeline makes longer (by the image's tokens), the tokens of text; else None.
    """

    encoding: int
    output: int
    dim: int | None
    length: int | None = None


@dataclass(frozen=True)
class Layout:
    """What stands where in one step's calls of the denoiser; a block is one row for each image, images in order.

    call, block: of the conditional rows. rows: of that call in all. unconditional: the call and block of the
    unconditional rows, None where the pipeline runs none. text: the arguments that carry text.
    """

    call: int
    block: int
    rows: int
    unconditional: tuple[int, int] | None
    text: dict[Path, Source]

    @property
    def encodings(self) -> list[int]:
        """Return the numbers of the encodings that its text comes from."""
        return sorted({source.encoding for source in self.text.values()})


def locate(calls: Sequence[Call], recorder: Recorder, images: int, name: str) -> Layout:
    """Return the layout of one step of a pipeline called `name`; raise FairsweepError where it is not certain.

    Reads values, so that a device is waited for: once per kind of step.
    """
    for number, call in enumerate(calls):
        text, blocks = _text(call, recorder, images)
        if not any(text[path].encoding == 0 for path in blocks):
            continue
        certain = set.intersection(*blocks.values())
        rows = {count(value, text[path].dim or 0) for path, value in leaves(call.arguments) if path in blocks}
        if not certain or len(rows) != 1:
            raise FairsweepError(f"{name} mixes its prompts in the denoiser's rows: it cannot be guided")
        total = rows.pop()
        branches = total // images
        if branches > 2:
            block, other = _pair(call, text, certain, total, images, name)
            return Layout(number, block, total, (number, other), text)
        block = min(certain) if len(certain) == 1 else branches - 1
        unconditional = (number, 1 - block) if branches == 2 else _other_call(calls, number, text, blocks)
        return Layout(number, block, total, unconditional, text)
    raise FairsweepError(f"what {name}'s encode_prompt returns is in no argument of its denoiser: it cannot be guided")


def _text(call: Call, recorder: Recorder, images: int) -> tuple[dict[Path, Source], dict[Path, set[int]]]:
    """Return the source of every argument with text, and the blocks that hold the prompts in those with rows."""
    text: dict[Path, Source] = {}
    blocks: dict[Path, set[int]] = {}
    for number, encoding in enumerate(recorder.encodings):
        places: dict[int, int | None] | None = None
        for output, wanted in enumerate(encoding.outputs):
            if not isinstance(wanted, torch.Tensor) and not is_list_of_tensors(wanted):
                continue
            for path, value in leaves(call.arguments):
                if path in text or not _comparable(value, wanted):
                    continue
                places = recorder.places(number) if places is None else places
                if output not in places:
                    break
                dim = places[output]
                if dim is None:
                    if _equal(value, wanted):
                        text[path] = Source(number, output, None)
                    continue
                if recorder.family.pads:
                    wanted = _padded(wanted, value)
                length = _text_length(path, value, wanted)
                held = _blocks(value if length is None else value[:, :length], wanted, dim, images)
                if held:
                    text[path], blocks[path] = Source(number, output, dim, length), held
    return text, blocks


def _pair(
    call: Call, text: dict[Path, Source], certain: set[int], total: int, images: int, name: str
) -> tuple[int, int]:
    """Return, of more than two branches, the conditional one and the only other that differs from it in text alone."""

    def block(value: Rows, number: int) -> Rows:
        rows = slice(number * images, (number + 1) * images)
        return value[rows]

    beside = [value for path, value in leaves(call.arguments) if path not in text and _rows(value) == total]
    branches = range(total // images)
    pairs = [
        (own, other)
        for own in sorted(certain)
        for other in branches
        if other != own and all(_equal(block(value, own), block(value, other)) for value in beside)
    ]
    if len({frozenset(pair) for pair in pairs}) != 1:
        raise FairsweepError(
            f"{name} runs {len(branches)} rows for each image, and which of them has its text, and which differs in "
            "text alone, is not plain: it cannot be guided in this mode"
        )
    return pairs[0]


def _rows(value: Rows) -> int:
    return count(value, 0) if not isinstance(value, torch.Tensor) or value.dim() else 0


def _other_call(
    calls: Sequence[Call], number: int, text: dict[Path, Source], blocks: dict[Path, set[int]]
) -> tuple[int, int] | None:
    """Return the call of the same step with the same rows and other text: with true guidance there is one.

    Where no text is another, it is the one call that repeats this one: its negative prompt is the prompt.
    """
    own = dict(leaves(calls[number].arguments))
    others, repeated = [], []
    for index, call in enumerate(calls):
        given = dict(leaves(call.arguments))
        if index == number or len(call.output) != len(calls[number].output):
            continue
        if any(path in given and not _equal(given[path], own[path]) for path in blocks):
            others.append((index, 0))
        elif given.keys() == own.keys() and all(_equal(given[path], own[path]) for path in own):
            repeated.append((index, 0))
    if len(others) > 1:
        raise FairsweepError(
            f"{len(others)} calls of the denoiser have a text that is not the prompt's: cannot be guided"
        )
    return next(iter(others or repeated), None)


def _blocks(value: Rows, wanted: Rows, dim: int, images: int) -> set[int]:
    """Return which blocks of `images` rows of an argument hold exactly the text."""
    total, rows = count(value, dim), count(wanted, dim)
    if total % images or images % rows:
        return set()
    if images != rows:
        wanted = (
            wanted.repeat_interleave(images // rows, dim)
            if isinstance(wanted, torch.Tensor)
            else [row for row in wanted for _ in range(images // rows)]
        )
    return {
        block
        for block in range(total // images)
        if _equal(
            value.narrow(dim, block * images, images)
            if isinstance(value, torch.Tensor)
            else value[block * images : (block + 1) * images],
            wanted,
        )
    }


def _text_length(path: Path, value: Rows, wanted: Rows) -> int | None:
    """Return the tokens of text in a mask that goes on over other tokens, None for any other argument."""
    if not isinstance(value, torch.Tensor) or value.dim() != 2 or "mask" not in str(path[-1]):
        return None
    return wanted.shape[1] if value.shape[1] > wanted.shape[1] else None


def _padded(wanted: Rows, value: Rows) -> Rows:
    """Return embeddings with as many tokens as an argument has, if it has more."""
    if not isinstance(wanted, torch.Tensor) or wanted.dim() != 3 or wanted.shape[1] >= value.shape[1]:
        return wanted
    return torch.nn.functional.pad(wanted, (0, 0, 0, value.shape[1] - wanted.shape[1]))


def _comparable(value: Rows, wanted: Rows) -> bool:
    if isinstance(value, torch.Tensor) and isinstance(wanted, torch.Tensor):
        # A number for each row may be a count or a time: as numbers they may be the same.
        alike = value.dim() > 1 or value.is_floating_point() == wanted.is_floating_point()
        return value.dim() == wanted.dim() > 0 and alike
    return not isinstance(value, torch.Tensor) and not isinstance(wanted, torch.Tensor)


def _equal(value: Rows, wanted: Rows) -> bool:
    if isinstance(value, torch.Tensor) and isinstance(wanted, torch.Tensor):
        return value is wanted or (value.shape == wanted.shape and torch.equal(value, wanted.to(value)))
    return len(value) == len(wanted) and all(map(_equal, value, wanted))
