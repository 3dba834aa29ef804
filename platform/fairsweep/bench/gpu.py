"""What only a card can show: parts that each prove or refute one thing, on pipelines of real size, random weights."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from fairsweep.bench.architectures import build
from fairsweep.engine.device import Cuda, DeviceError
from fairsweep.errors import FairsweepError, reason
from fairsweep.families import family_of
from fairsweep.pipelines.loading import to_channels_last
from fairsweep.pipelines.pipeline import Pipeline

GIB = 2**30
# Less is left of the time than a part may take.
_LAST_SECONDS = 25.0


@dataclass
class Card:
    """The device that is looked at, and the pipeline that is on it: one at a time.

    sizes: pixels a side by architecture; None: its own. batches: those that are timed. steps: of timed pictures.
    """

    device: str = "cuda"
    sizes: dict[str, int | None] = field(default_factory=lambda: {"sd15": 512, "sdxl": 1024})
    batches: tuple[int, ...] = (1, 4, 16)
    steps: int = 10
    clip: str = "ViT-L-14"
    _held: tuple[str, Any] | None = None

    @property
    def real(self) -> bool:
        """Tell whether this is a card at all."""
        return self.device == "cuda"

    def pipe(self, name: str, dtype: torch.dtype = torch.float16) -> Any:
        """Return the stock pipeline of an architecture, on the device."""
        if self._held is None or self._held[0] != name:
            self._held = None
            self.free()
            # Made where it will be, at the size that it will have: large ones take minutes and much memory elsewhere.
            before = torch.get_default_dtype()
            torch.set_default_dtype(dtype)
            try:
                with torch.device(self.device):
                    pipe = build(name)
            finally:
                torch.set_default_dtype(before)
            pipe.set_progress_bar_config(disable=True)
            if self.real:
                to_channels_last(getattr(pipe, family_of(pipe).denoiser))
            self._held = name, pipe
        pipe = self._held[1]
        return pipe.to(self.device, dtype)

    def pipeline(self, name: str, steps: int) -> Pipeline:
        """Return what an actor makes of it."""
        size = self.sizes[name]
        model = SimpleNamespace(steps=steps, guidance_scale=7.0, width=size, height=size, dtype="float16")
        return Pipeline(self.pipe(name), model)

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


@dataclass(frozen=True)
class Finding:
    """What a part says: holds, refuted, figures, skipped or failed, and the figures."""

    part: str
    verdict: str
    figures: dict[str, Any]

    def line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps({"part": self.part, "verdict": self.verdict, **self.figures})


def run(say: Callable[[Finding], object], seconds: float = 480.0, card: Card | None = None) -> list[Finding]:
    """Run every part, as far as the time goes, and say each finding as it comes.

    A part that fails costs itself. Parts that need a card are left out where there is none, which is an error unless a
    `card` is given: raises FairsweepError.
    """
    from fairsweep.bench.gpu_parts import PARTS

    if card is None:
        try:
            Cuda().open()
        except DeviceError as error:
            raise FairsweepError(f"bench gpu needs an NVIDIA card: {error}") from None
    card, until, findings = card or Card(), time.monotonic() + seconds, []
    for part in PARTS:
        name = part.name
        if part.needs_card and not card.real:
            finding = Finding(name, "skipped", {"reason": "it needs a card"})
        elif until - time.monotonic() < _LAST_SECONDS:
            finding = Finding(name, "skipped", {"reason": "no time is left"})
        else:
            started = time.monotonic()
            try:
                verdict, figures = part.work(card)
                finding = Finding(name, verdict, figures | {"seconds": round(time.monotonic() - started, 1)})
            except Exception as error:
                finding = Finding(name, "failed", {"reason": reason(error)})
            card.free()
        findings.append(finding)
        say(finding)
    return findings
