"""Record how a pipeline call encodes its prompts, and encode the concepts the same way.

Whatever it asks of `encode_prompt` (LoRA scale, clip_skip, number of tokens, instructions) holds for concepts too.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fairsweep.errors import FairsweepError, first_line
from fairsweep.families.base import Family
from fairsweep.families.texts import TextCache
from fairsweep.guidance.arguments import Rows

# What belongs to the call's own prompts; a concept has one text, and nothing that is encoded already.
_OF_PROMPTS = re.compile(r"^prompt_\d$|^negative_|embeds|prompt_.*mask$|^attention_mask")
_PLAIN = (str, int, float, bool, type(None), torch.dtype, torch.device)
_BRANCHED = "do_classifier_free_guidance"


@dataclass
class Encoding:
    """One call of `encode_prompt`: its arguments by name, those it would have in silence, and what came of it."""

    arguments: dict[str, Any]
    defaults: dict[str, Any]
    outputs: list[Any]


class Recorder:
    """Stands where `encode_prompt` stood during one pipeline call.

    encode: the pipeline's own method. concepts: their texts. texts: where their embeddings are kept between calls,
    None: nowhere.
    """

    def __init__(self, pipe, family: Family, encode: Callable, concepts: Sequence[str], texts: TextCache | None):
        self._pipe, self.family, self._encode, self._concepts, self._texts = pipe, family, encode, concepts, texts
        self.encodings: list[Encoding] = []
        self._places: dict[int, dict[int, int | None]] = {}

    def __call__(self, *args, **kwargs) -> Any:
        """Encode as the pipeline asks, and remember it."""
        output = self._encode(*args, **kwargs)
        arguments, defaults = self._named(args, kwargs)
        self.encodings.append(Encoding(arguments, defaults, self._told(output, arguments)))
        return output

    def concept(self, number: int, text: str) -> list[Any]:
        """Return what the encoding of that number returns for one text, one image and no second branch."""
        return self._repeated(number, [text])

    def unconditional(self, number: int) -> list[Any]:
        """Return the empty condition, standing where `concept` has its outputs.

        It is what the pipeline itself takes where no negative prompt is given: for SDXL zeros, not a text.
        """
        empty = self._repeated(number, [""])
        if _BRANCHED not in self.encodings[number].arguments:
            return empty
        both = self._repeated(number, [""], **{_BRANCHED: True})
        negative = [value for value, alone in zip(both, empty, strict=True) if value is not None and alone is None]
        places = [place for place, value in enumerate(empty) if value is not None]
        if len(negative) != len(places):
            return empty
        return [negative[places.index(place)] if place in places else None for place in range(len(empty))]

    def places(self, number: int) -> dict[int, int | None]:
        """Return the outputs with the prompts' text, each with the dimension that counts texts (of a list: 0).

        None stands for what all texts share. Found by encoding two texts beside one: a shape alone cannot tell one
        row from a thing that all rows share. Negative prompts' outputs are those that come with a second branch only.
        Where a text is encoded together with a picture there is one of each, and every output is of it.
        """
        if self.family.alone:
            return dict.fromkeys(range(len(self.encodings[number].outputs)), 0)
        if number not in self._places:
            text = self._concepts[0]
            one, two = self._repeated(number, [text]), self._repeated(number, [text, text])
            branched = _BRANCHED in self.encodings[number].arguments
            # An output that is missing for other reasons is a mask that hides nothing: it has rows where it is there.
            self._places[number] = {
                output: 0 if alone is None else _differing(alone, pair)
                for output, (alone, pair) in enumerate(zip(one, two, strict=True))
                if not (branched and alone is None)
            }
        return self._places[number]

    def _repeated(self, number: int, texts: Sequence[str], **more) -> list[Any]:
        arguments = _neutral(self.encodings[number], texts) | more
        if self._texts is None or not _is_plain(arguments):
            return self._encoded(arguments)
        return self._texts.keep(("concepts", repr(sorted(arguments.items()))), lambda: self._encoded(arguments))

    def _encoded(self, arguments: dict[str, Any]) -> list[Any]:
        try:
            return self._told(self._encode(**arguments), arguments)
        except (AttributeError, TypeError, ValueError) as error:
            missing = [
                name
                for name in (*self._pipe.components,)
                if name.startswith("text_encoder") and getattr(self._pipe, name) is None
            ]
            text = next((text for text in arguments["prompt"] if text), "")
            if missing:
                raise FairsweepError(
                    f"the pipeline has no {missing[0]} to encode {text!r} with: load it with its text encoders"
                ) from None
            raise FairsweepError(
                f"{type(self._pipe).__name__} cannot encode the concept {text!r} as it encodes its prompts: "
                f"{first_line(error)}"
            ) from error

    def _told(self, output: Any, arguments: dict[str, Any]) -> list[Any]:
        outputs = list(output) if isinstance(output, tuple) else [output]
        return self.family.told(outputs, bool(arguments.get(_BRANCHED)))

    def _named(self, args: tuple, kwargs: dict) -> tuple[dict[str, Any], dict[str, Any]]:
        signature = inspect.signature(self._encode)
        if "prompt" not in signature.parameters:
            # A function of the user's that passes on whatever it gets.
            signature = inspect.signature(getattr(type(self._pipe), self.family.encoding).__get__(self._pipe))
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = dict(bound.arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                named |= named.pop(name)
            elif parameter.kind is parameter.VAR_POSITIONAL:
                named.pop(name)
        defaults = {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}
        return named, defaults


def _neutral(encoding: Encoding, texts: Sequence[str]) -> dict[str, Any]:
    neutral = {
        name: encoding.defaults.get(name) if _OF_PROMPTS.search(name) else value
        for name, value in encoding.arguments.items()
    }
    fixed = {"num_images_per_prompt": 1, _BRANCHED: False, "batch_size": len(texts)}
    return neutral | {name: value for name, value in fixed.items() if name in neutral} | {"prompt": list(texts)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(inner) for inner in value.values())
    return all(map(_is_plain, value)) if isinstance(value, list | tuple) else isinstance(value, _PLAIN)


def _differing(one: Rows | None, two: Rows | None) -> int | None:
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return next(
            (dim for dim, sizes in enumerate(zip(one.shape, two.shape, strict=True)) if sizes[0] != sizes[1]), None
        )
    if isinstance(one, list) and isinstance(two, list):
        return 0 if len(one) != len(two) else None
    return None
