"""Look at a card, part by part: each proves or refutes one thing."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fairsweep.bench.gpu import faults, memory, results, small, speed, sweeps
from fairsweep.bench.gpu.card import Card
from fairsweep.bench.gpu.part import Part
from fairsweep.engine.device import Cuda, DeviceError
from fairsweep.errors import FairsweepError, reason

# Less is left of the time than a part may take.
_LAST_SECONDS = 25.0

# In the order in which they run: those of the small model first.
PARTS = (
    Part("environment", results.environment),
    Part("the wrapper adds no wait for the card", results.synchronisations, needs_card=True),
    Part("half precision rounds as SEGA's does", results.rounding),
    Part("neighbours change no pixel", results.neighbours),
    Part("a failed batch holds no memory", faults.failures),
    Part("types of the denoiser", speed.types),
    Part("channels last, sd15", partial(speed.layouts, name="sd15")),
    Part("decoding, sd15", partial(speed.decoding, name="sd15")),
    Part("the cost of the edit", speed.edit_cost),
    Part("CUDA graph, sd15", partial(speed.graph, name="sd15"), needs_card=True),
    Part("energy", speed.energy, needs_card=True),
    Part("speed, sd15", partial(speed.speed, name="sd15")),
    Part("out of memory while decoding", faults.decode_out_of_memory),
    Part("SDXL beside CLIP in 22 GiB", memory.fits),
    Part("an actor keeps to its share of the memory", memory.share, needs_card=True),
    Part("types of a classifier", speed.classifier),
    Part("channels last, sdxl", partial(speed.layouts, name="sdxl")),
    Part("decoding, sdxl", partial(speed.decoding, name="sdxl")),
    Part("CUDA graph, sdxl", partial(speed.graph, name="sdxl"), needs_card=True),
    Part("a dead context", faults.dead_context, needs_card=True),
    Part("two actors on a card", sweeps.shared_card, needs_card=True),
    Part("the energy of a sweep", sweeps.counted, needs_card=True),
    Part("a sweep goes on after a dead context", sweeps.dying, needs_card=True),
    Part("host memory goes back, sdxl", memory.host, needs_card=True),
    Part("segments that grow, sdxl", memory.segments, needs_card=True),
    Part("speed, sdxl", partial(speed.speed, name="sdxl")),
    Part("torch.compile, sd15", speed.compiled, needs_card=True),
    Part("concepts that serve several steps, sd15", speed.reused),
    *(Part(f"FLUX.1 dev in 24 GiB, {way}", partial(small.fits, way=way), needs_card=True) for way in small.WAYS),
)


@dataclass(frozen=True)
class Finding:
    """What a part says: holds, refuted, figures, skipped or failed, and the figures."""

    part: str
    verdict: str
    figures: dict[str, Any]

    def line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps({"part": self.part, "verdict": self.verdict, **self.figures})


def run(
    say: Callable[[Finding], object], seconds: float = 480.0, card: Card | None = None, only: Sequence[str] = ()
) -> list[Finding]:
    """Run every part, as far as the time goes, and say each finding as it comes.

    only: the parts whose names hold one of these. A part that fails costs itself. Parts that need a card are left out
    where there is none, which is an error unless a `card` is given. Raises FairsweepError.
    """
    for word in only:
        if not any(word in part.name for part in PARTS):
            raise FairsweepError(f"bench gpu has no part {word!r}: {', '.join(part.name for part in PARTS)}")
    if card is None:
        try:
            Cuda().open()
        except DeviceError as error:
            raise FairsweepError(f"bench gpu needs an NVIDIA card: {error}") from None
    card, until, findings = card or Card(), time.monotonic() + seconds, []
    for part in PARTS:
        name = part.name
        if only and not any(word in name for word in only):
            continue
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
