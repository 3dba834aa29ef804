"""The wrapper around a pipeline's denoiser: concept rows in, the model once, each image's edit out.

Guidance formulas weigh the branches of one step (conditional, unconditional) with factors that sum to one. So
an edit that is added to every branch comes out of the pipeline's own formula unchanged, whatever its scale
(with `guidance_rescale` the pipeline rescales it, as all the rest).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from fairsweep.errors import FairsweepError
from fairsweep.families import family_of
from fairsweep.families.base import Family
from fairsweep.families.texts import TextCache
from fairsweep.guidance.concepts import Edit
from fairsweep.guidance.schedule import Phase, Schedule
from fairsweep.guidance.sega import Momentum, directions, term


@contextmanager
def guide(pipe, edits: Sequence[Edit | None], texts: TextCache | None = None) -> Iterator["GuidedDenoiser | None"]:
    """Put a GuidedDenoiser in the pipeline's denoiser's place inside the block; see `fair_guidance`.

    texts: embeddings to reuse, for a pipeline whose text encoders stay as they are between calls.
    """
    family = family_of(pipe)
    if isinstance(edits, Edit | None):
        raise FairsweepError(f"give a list with an Edit or None for each image, not a bare {repr(edits)[:60]}")
    edits = list(edits)
    for edit in edits:
        if not isinstance(edit, Edit | None):
            raise FairsweepError(f"give an Edit or None for each image, not {repr(edit)[:60]}")
    bare = getattr(pipe, family.denoiser)
    if isinstance(bare, GuidedDenoiser):
        raise FairsweepError("this pipeline is guided already: give all edits in one fair_guidance block")
    if not any(edits):
        yield None
        return
    guided = GuidedDenoiser(pipe, family, edits, texts or TextCache(pipe, family))
    free_hooks = pipe.maybe_free_model_hooks

    def free_all_hooks():
        # Offloading hooks the pipeline's modules anew after every call, and the wrapper is no module.
        with _standing(pipe, family.denoiser, bare):
            free_hooks()

    hooks = {
        "check_inputs": _after(guided.begin, pipe.check_inputs),
        "encode_prompt": _after(guided.encodes, pipe.encode_prompt),
        "maybe_free_model_hooks": free_all_hooks,
    }
    pipe.__dict__.update(hooks)
    try:
        with _standing(pipe, family.denoiser, guided):
            yield guided
    finally:
        for name in hooks:
            del pipe.__dict__[name]


@contextmanager
def _standing(pipe, name: str, denoiser) -> Iterator[None]:
    # Not through DiffusionPipeline.__setattr__: it would write the wrapper into the pipeline's config.
    before = pipe.__dict__[name]
    pipe.__dict__[name] = denoiser
    try:
        yield
    finally:
        pipe.__dict__[name] = before


def _after(before, method):
    def call(*args, **kwargs):
        before()
        return method(*args, **kwargs)

    return call


class GuidedDenoiser:
    """Stand in for a denoiser and steer each image of the batch by its own edit.

    `rows` and `calls` count the denoiser rows and forwards of the current pipeline call.
    """

    def __init__(self, pipe, family: Family, edits: Sequence[Edit | None], texts: TextCache):
        self.denoiser = getattr(pipe, family.denoiser)
        self._pipe, self._family, self._images, self._cache = pipe, family, len(edits), texts
        self._schedule = Schedule(edits)
        self.begin()

    def __getattr__(self, name: str):
        # Copies and pickles ask before they hold one.
        if name == "denoiser":
            raise AttributeError(name)
        return getattr(self.denoiser, name)

    def begin(self) -> None:
        """Start over: a pipeline call begins."""
        self.rows = self.calls = self._call = self._encodes = 0
        # A scheduler of second order, such as Heun's, asks for two predictions a step.
        self._order = getattr(self._pipe.scheduler, "order", 1)
        self._momentum = Momentum()
        self._embeddings: dict[str, torch.Tensor] = {}
        self._first: tuple[torch.Tensor, torch.Tensor, Phase] | None = None
        self._two_calls = False
        self._edit: torch.Tensor | None = None

    def encodes(self) -> None:
        """Count the prompts that the call encodes: with true guidance in two calls it encodes two."""
        self._encodes += 1

    def __call__(self, *args, **kwargs) -> tuple[torch.Tensor, ...]:
        """Run the denoiser as the pipeline asks, with the concept rows of this step beside its own."""
        kwargs |= zip(self._family.positional, args, strict=False)
        if kwargs.get("skip_layers") is not None:
            return self._finish(self._forward(kwargs))
        if self._first is not None:
            return self._second_call(kwargs, *self._first)
        if self._call == 0:
            self._prepare(kwargs)
        branches, two_calls = self._branches(kwargs), self._two_calls
        phase = self._schedule.phase(self._call // self._order)
        self._call += 1
        self._edit = None
        if phase.idle:
            output = self._forward(kwargs)
            self._first = (output[0], output[0][:0], phase) if two_calls else None
            return output
        # Where the pipeline runs no unconditional branch itself, the steered images get a row of it here.
        alone = branches == 1 and not two_calls
        output, *rest = self._forward(self._extended(kwargs, phase, branches, alone))
        own, concepts = output[: branches * self._images], output[branches * self._images :]
        if two_calls:
            self._first = (own, concepts, phase)
            return (own, *rest)
        if alone:
            count = len(phase.base)
            concepts, unconditional = concepts[:count], concepts[count:][phase.base]
        else:
            unconditional = own[phase.image]
        self._set_edit(concepts, unconditional, phase)
        return self._finish((own, *rest))

    def _second_call(
        self, kwargs: dict, own: torch.Tensor, concepts: torch.Tensor, phase: Phase
    ) -> tuple[torch.Tensor, ...]:
        self._first = None
        output = self._forward(kwargs)
        if phase.idle:
            return output
        self._set_edit(concepts, output[0][phase.image], phase)
        # The pipeline holds the first call's output and has not used it yet.
        self._finish((own,))
        return self._finish(output)

    def _set_edit(self, concepts: torch.Tensor, unconditional: torch.Tensor, phase: Phase) -> None:
        family = self._family
        precise = torch.promote_types(concepts.dtype, torch.float32)
        concept, base = (family.to_channels(value).to(precise) for value in (concepts, unconditional))
        guidance = directions(concept, base, phase.scale, phase.threshold)
        edit = term(guidance, phase, self._momentum)
        self._edit = family.from_channels(edit, concepts).to(concepts.dtype)
        self._edited = phase.edited

    def _finish(self, output: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        if self._edit is not None:
            for branch in output[0].split(self._images):
                branch.index_add_(0, self._edited, self._edit)
        return output

    def _forward(self, kwargs: dict) -> tuple[torch.Tensor, ...]:
        self.calls += 1
        self.rows += kwargs[self._family.sample].shape[0]
        return self.denoiser(**{**kwargs, "return_dict": False})

    def _branches(self, kwargs: dict) -> int:
        family = self._family
        branches = 1 if family.two_calls or not self._pipe.do_classifier_free_guidance else 2
        rows = kwargs[family.sample].shape[0]
        if rows != branches * self._images:
            raise FairsweepError(
                f"{self._images} edits are given, but the call makes {rows // branches} images: give one each"
            )
        return branches

    def _prepare(self, kwargs: dict) -> None:
        # Before the concepts are encoded, which counts too.
        self._two_calls = self._family.two_calls and self._encodes > 1
        tokens = _get(kwargs, next(iter(self._family.text.values())))
        self._schedule.to(tokens.device)
        embeddings = self._cache.encode([*self._schedule.texts, None], tokens.shape[1])
        length = next(iter(embeddings.values())).shape[1]
        if length != tokens.shape[1]:
            raise FairsweepError(
                f"the call's prompt embeddings have {tokens.shape[1]} tokens, the concepts' {length}: give prompts as "
                "text, or embeddings as long as encode_prompt makes them"
            )
        self._embeddings = {self._family.text[name]: value.to(tokens) for name, value in embeddings.items()}

    def _extended(self, kwargs: dict, phase: Phase, branches: int, alone: bool) -> dict:
        rows = branches * self._images
        image, text = phase.image, phase.text
        if alone:
            unconditional = torch.full_like(phase.steered, len(self._schedule.texts))
            image, text = torch.cat([image, phase.steered]), torch.cat([text, unconditional])
        like = image + rows - self._images  # the conditional row of the same image
        shared = self._family.shared

        def extend(path: str, value: Any) -> Any:
            if path in self._embeddings:
                return torch.cat([value, self._embeddings[path][text]])
            if isinstance(value, dict):
                return {key: extend(f"{path}.{key}", inner) for key, inner in value.items()}
            if isinstance(value, list | tuple):
                return type(value)(extend(path, inner) for inner in value)
            batched = isinstance(value, torch.Tensor) and value.dim() > 0 and value.shape[0] == rows
            return torch.cat([value, value[like]]) if batched and path not in shared else value

        return {name: extend(name, value) for name, value in kwargs.items()}


def _get(kwargs: dict, path: str) -> torch.Tensor:
    value: Any = kwargs
    for key in path.split("."):
        value = value[key]
    return value
