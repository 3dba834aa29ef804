"""The card that is looked at, and the pipeline of real size with random weights that is on it."""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from fairsweep.bench.architectures import build
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.spec import ModelSpec

GIB = 2**30


@dataclass
class Card:
    """The device that is looked at, and the pipeline that is on it: one at a time.

    sizes: pixels a side by architecture; None: its own. batches: those that are timed. steps: of timed pictures.
    """

    device: str = "cuda"
    sizes: dict[str, int | None] = field(default_factory=lambda: {"sd15": 512, "sdxl": 1024, "flux-dev": 1024})
    batches: tuple[int, ...] = (1, 4, 16)
    steps: int = 10
    clip: str = "ViT-L-14"
    _held: tuple[str, Any] | None = None
    _folders: dict[str, tempfile.TemporaryDirectory] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Tell whether this is a card at all."""
        return self.device == "cuda"

    def pipe(self, name: str, dtype: torch.dtype = torch.float16) -> Any:
        """Return the stock pipeline of an architecture, on the device."""
        if self._held is None or self._held[0] != name:
            self.drop()
            with self.making(dtype):
                pipe = build(name)
            pipe.set_progress_bar_config(disable=True)
            self._held = name, pipe
        pipe = self._held[1]
        return pipe.to(self.device, dtype)

    @contextmanager
    def making(self, dtype: torch.dtype) -> Iterator[None]:
        """Make what is built inside the block where it will be, in its type: large models take minutes elsewhere."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(self.device):
                yield
        finally:
            torch.set_default_dtype(before)

    def pipeline(self, name: str, steps: int) -> Pipeline:
        """Return what an actor makes of it."""
        size = self.sizes[name]
        model = ModelSpec(name=name, source=name, steps=steps, width=size, height=size, dtype="float16")
        return Pipeline(self.pipe(name), model)

    def saved(self, name: str, build: Callable[[], Any]) -> str:
        """Return the folder that a pipeline was written into, as long as the card is looked at."""
        if name not in self._folders:
            self.drop()
            self._folders[name] = tempfile.TemporaryDirectory()
            build().save_pretrained(self._folders[name].name)
            self.drop()
        return self._folders[name].name

    def drop(self) -> None:
        """Let go of the pipeline."""
        self._held = None
        self.free()

    def allocated(self) -> int:
        """Return the bytes that tensors hold."""
        return torch.cuda.memory_allocated() if self.real else 0

    def free(self) -> None:
        """Give back what nobody holds."""
        gc.collect()
        if self.real:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def seconds(self, call: Callable[[], Any], times: int = 1, first: int = 1) -> float:
        """Return how long a call takes, after `first` that do not count."""
        for _ in range(first):
            call()
        self._wait()
        started = time.perf_counter()
        for _ in range(times):
            call()
        self._wait()
        return (time.perf_counter() - started) / times

    def _wait(self) -> None:
        if self.real:
            torch.cuda.synchronize()

    @contextmanager
    def limited(self, gibibytes: float) -> Iterator[None]:
        """Let this process take so much of the card's memory, and no more, inside the block."""
        if not self.real:
            yield
            return
        torch.cuda.set_per_process_memory_fraction(
            min(1.0, gibibytes * GIB / torch.cuda.get_device_properties(0).total_memory)
        )
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
