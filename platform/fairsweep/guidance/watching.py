"""Watch a denoiser's calls for the guided pipelines whose own they are: several pipelines may share one denoiser."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from types import FrameType
from typing import Any

from diffusers import DiffusionPipeline

from fairsweep.guidance.arguments import PARTS, rebuild

# How torch itself gets between a module and its forward for `module.compile()`: hooks, wrapped forwards and compiled
# graphs stay inside and see what they always see, and the pipeline keeps its own module.
_PLACE = "_compiled_call_impl"
_lock = Lock()


class Watched:
    """Stands where a denoiser's calls pass, while some pipeline that is called has it watched.

    forward: what stood there.
    """

    def __init__(self, forward: Callable):
        self.forward = forward
        self.watchers: list[tuple[Any, Callable]] = []

    def __call__(self, *args, **kwargs) -> Any:
        notes = [note for pipe, note in self.watchers if calls(pipe)]
        if not notes:
            return self.forward(*args, **kwargs)
        # Before the call: some denoisers take what they have used out of the lists that they are given.
        arguments = rebuild({"args": args, "kwargs": kwargs}, lambda path, part: PARTS)
        output = self.forward(*args, **kwargs)
        for note in notes:
            note(arguments["args"], arguments["kwargs"], output)
        return output


@contextmanager
def watch(denoiser, pipe, note: Callable[[tuple, dict, Any], None]) -> Iterator[Callable]:
    """Call `note(args, kwargs, output)` after each call of the denoiser by this pipeline; yield its bare forward."""
    own = vars(denoiser)
    with _lock:
        before = own.get(_PLACE)
        # Another thread's pipeline may watch it too, and end sooner or later than this one.
        watched = before if isinstance(before, Watched) else Watched(before or denoiser._call_impl)
        watcher = (pipe, note)
        watched.watchers = [*watched.watchers, watcher]
        own[_PLACE] = watched
    try:
        yield watched.forward
    finally:
        with _lock:
            watched.watchers = [each for each in watched.watchers if each is not watcher]
            if not watched.watchers and own.get(_PLACE) is watched:
                if watched.forward == denoiser._call_impl:
                    del own[_PLACE]
                else:
                    own[_PLACE] = watched.forward


def calls(pipe) -> bool:
    """Tell whether it is this pipeline that runs here: the innermost one on this thread's stack.

    A callback may call another pipeline of the same parts, and so may another thread.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, DiffusionPipeline):
            return owner is pipe
        frame = frame.f_back
    return False
