"""Put guidance around the calls of one pipeline, and leave nothing behind.

Between calls only the class of the pipeline differs, by its `__call__`; during a call `encode_prompt` is recorded, the
denoiser's calls are noted, and the scheduler's `step` gets edited predictions. So whatever is done to the pipeline in
the block (another denoiser, adapters, a device, a copy, a pipeline of the same parts) is done to the stock one.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from fairsweep.errors import FairsweepError
from fairsweep.families import check_steerable, family_of
from fairsweep.families.base import Family
from fairsweep.families.texts import TextCache
from fairsweep.guidance.concepts import Edit
from fairsweep.guidance.recording import Recorder
from fairsweep.guidance.stepping import Guidance
from fairsweep.guidance.watching import calls, watch

_ABSENT = object()


@contextmanager
def guide(pipe, edits: Sequence[Edit | None], texts: TextCache | None = None) -> Iterator[Guidance]:
    """Steer every call of the pipeline inside the block; see `fair_guidance`.

    texts: embeddings to reuse, for a pipeline whose text encoders stay as they are between calls.
    """
    if isinstance(edits, Edit | None):
        raise FairsweepError(f"give a list with an Edit or None for each image, not a bare {repr(edits)[:60]}")
    edits = list(edits)
    for edit in edits:
        if not isinstance(edit, Edit | None):
            raise FairsweepError(f"give an Edit or None for each image, not {repr(edit)[:60]}")
    stock = type(pipe)
    if any(edits):
        check_steerable(stock)
    family = family_of(pipe)
    if family.alone and len(edits) > 1 and any(edits):
        raise FairsweepError(
            f"{stock.__name__} encodes each prompt and concept together with its picture: guide one image a call"
        )
    if hasattr(stock, "fairsweep_guides"):
        raise FairsweepError("this pipeline is guided already: give all edits in one fair_guidance block")
    guidance = Guidance(pipe, family, edits)
    pipe.__class__ = _guided(stock, pipe, lambda: _during_call(pipe, family, guidance, texts))
    try:
        yield guidance
    finally:
        pipe.__class__ = stock


def _guided(stock: type, pipe, during_call: Callable) -> type:
    """Return a subclass whose instance `pipe`, and no other, is called inside `during_call()`."""

    @wraps(stock.__call__)
    def call(self, *args, **kwargs):
        if self is not pipe:
            return stock.__call__(self, *args, **kwargs)
        with during_call():
            return stock.__call__(self, *args, **kwargs)

    def reduce(self, protocol):
        # Copies and pickles are of the stock class.
        _, _, *state = super(guided, self).__reduce_ex__(protocol)
        return stock.__new__, (stock,), *state

    names = {name: getattr(stock, name) for name in ("__module__", "__qualname__", "__doc__")}
    guided = type(
        stock.__name__, (stock,), {**names, "__call__": call, "__reduce_ex__": reduce, "fairsweep_guides": True}
    )
    return guided


@contextmanager
def _during_call(pipe, family: Family, guidance: Guidance, texts: TextCache | None) -> Iterator[None]:
    denoiser = getattr(pipe, family.denoiser)
    encode, step = getattr(pipe, family.encoding), pipe.scheduler.step
    names = list(inspect.signature(step).parameters)
    place = names.index("sample") if "sample" in names else len(names)
    recorder = Recorder(pipe, family, encode, guidance.texts, texts)

    @wraps(step)
    def edited_step(*args, **kwargs) -> Any:
        if not calls(pipe):
            return step(*args, **kwargs)
        sample = kwargs.get("sample", args[place] if place < len(args) else None)
        if args:
            return step(guidance.edited(args[0], sample), *args[1:], **kwargs)
        return step(**kwargs | {"model_output": guidance.edited(kwargs["model_output"], sample)})

    @wraps(encode)
    def encode_prompt(*args, **kwargs) -> Any:
        return recorder(*args, **kwargs)

    with (
        watch(denoiser, pipe, guidance.note) as forward,
        _standing(pipe, family.encoding, encode_prompt),
        _standing(pipe.scheduler, "step", edited_step),
    ):
        guidance.begin(_Bare(denoiser, forward), recorder)
        yield
        guidance.end()


class _Bare:
    """The denoiser for concept rows: called as without guidance, and its caches' contexts."""

    def __init__(self, denoiser, forward: Callable):
        self._forward = forward
        if hasattr(denoiser, "cache_context"):
            self.cache_context = denoiser.cache_context

    def __call__(self, *args, **kwargs) -> Any:
        return self._forward(*args, **kwargs)


@contextmanager
def _standing(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute inside the block, and put back what was there unless it was replaced meanwhile."""
    # Not by setattr: a pipeline would write it into its config.
    own = vars(owner)
    before = own.get(name, _ABSENT)
    own[name] = value
    try:
        yield
    finally:
        if own.get(name) is value:
            if before is _ABSENT:
                del own[name]
            else:
                own[name] = before
