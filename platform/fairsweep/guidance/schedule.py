"""Which concept rows run at which step: worked out once from the edits, in Python, before the first step."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch

from fairsweep.guidance.concepts import Concept, Edit


@dataclass(frozen=True)
class Asked:
    """R concept rows for the denoiser: one concept of one image each, images in order."""

    rows: tuple[tuple[int, int], ...]  # R times (image, text): indices into the batch and into `Schedule.texts`
    image: torch.Tensor  # [R] the row's image
    base: torch.Tensor  # [R] the row's image, as an index into the images that have a row
    scale: torch.Tensor  # [R] negative where the concept is reversed
    threshold: torch.Tensor  # [R]

    def to(self, device: torch.device) -> "Asked":
        """Return the rows with their tensors on the device."""
        return _moved(self, device)


@dataclass(frozen=True)
class Phase:
    """A run of steps over which the same concepts are active.

    M edited images, K concepts at most of an image.
    """

    start: int  # the first step
    asked: Asked  # the rows of every active concept
    edited: torch.Tensor  # [M] images that have an edit, as indices into the batch
    slots: torch.Tensor  # [M, K] indices into the rows; R where there is none
    weight: torch.Tensor  # [M, K]
    partial_weight: torch.Tensor  # [M, K] of images some of whose concepts still warm up, normalised
    warm: torch.Tensor  # [M] 1 where every concept of the image is past its warm-up
    momentum_scale: torch.Tensor  # [M]
    momentum_beta: torch.Tensor  # [M]
    idle: bool
    all_warm: bool
    uses_partial: bool
    uses_momentum: bool

    def to(self, device: torch.device) -> "Phase":
        """Return the phase with its tensors on the device."""
        return replace(_moved(self, device), asked=self.asked.to(device))


class Schedule:
    """The phases of a batch of edits, and the texts that they need."""

    def __init__(self, edits: Sequence[Edit | None]):
        self.edits = {index: edit for index, edit in enumerate(edits) if edit is not None}
        concepts = [concept for edit in self.edits.values() for concept in edit.concepts]
        self.texts = list(dict.fromkeys(concept.text for concept in concepts))
        bounds = {steps for concept in concepts for steps in (concept.warmup_steps, concept.cooldown_steps)}
        self._bounds = sorted(int(bound) for bound in bounds if bound)
        self._phases = [self._phase(step) for step in (0, *self._bounds)]
        self._device = torch.device("cpu")
        self._fewer: dict[tuple, Asked] = {}

    @property
    def reuses(self) -> bool:
        """Tell whether some edit uses what its concepts said at one step for later ones."""
        return any(edit.concepts_every > 1 for edit in self.edits.values())

    def to(self, device: torch.device) -> None:
        """Move every phase to the device, so that no step has to."""
        self._phases = [phase.to(device) for phase in self._phases]
        self._device, self._fewer = device, {}

    def phase(self, step: int) -> Phase:
        """Return the phase of a denoising step (from 0)."""
        return self._phases[bisect_right(self._bounds, step)]

    def asked(self, step: int) -> Asked:
        """Return the rows that run at a step: all of its phase's, but those of images that reuse what they have."""
        phase = self.phase(step)
        if not self.reuses:
            return phase.asked
        images = tuple(index for index, edit in self.edits.items() if edit.asks(step))
        if (phase.start, images) not in self._fewer:
            rows = [(index, concept) for index in images for concept in self.edits[index].running(phase.start)]
            self._fewer[phase.start, images] = self._asked(rows).to(self._device)
        return self._fewer[phase.start, images]

    def _asked(self, rows: Sequence[tuple[int, Concept]]) -> Asked:
        images = list(dict.fromkeys(index for index, _ in rows))
        return Asked(
            rows=tuple((index, self.texts.index(concept.text)) for index, concept in rows),
            image=_integers([index for index, _ in rows]),
            base=_integers([images.index(index) for index, _ in rows]),
            scale=torch.tensor([-c.scale if c.reverse else c.scale for _, c in rows], dtype=torch.float32),
            threshold=torch.tensor([concept.threshold for _, concept in rows], dtype=torch.float32),
        )

    def _phase(self, step: int) -> Phase:
        rows: list[tuple[int, Concept]] = []
        slots, weights, partials, warm = [], [], [], []
        for index, edit in self.edits.items():
            active = edit.running(step)
            warmed = [concept for concept in edit.concepts if step >= concept.warmup_steps]
            is_warm = len(warmed) == len(edit.concepts)
            live = [concept for concept in warmed if not concept.cooled(step)]
            total = sum(max(concept.weight, 0.0) for concept in live)
            slots.append(list(range(len(rows), len(rows) + len(active))))
            weights.append([max(concept.weight, 0.0) for concept in active])
            partials.append(
                [
                    max(concept.weight, 0.0) / total if not is_warm and concept in live and total else 0.0
                    for concept in active
                ]
            )
            warm.append(float(is_warm))
            rows += [(index, concept) for concept in active]
        uses_momentum = any(edit.has_momentum for edit in self.edits.values())
        momentum = [(edit.momentum_scale, edit.momentum_beta) for edit in self.edits.values()]
        return Phase(
            start=step,
            asked=self._asked(rows),
            edited=_integers(list(self.edits)),
            slots=_padded(slots, len(rows)).long(),
            weight=_padded(weights, 0.0),
            partial_weight=_padded(partials, 0.0),
            warm=torch.tensor(warm),
            momentum_scale=torch.tensor([scale for scale, _ in momentum], dtype=torch.float32),
            momentum_beta=torch.tensor([beta for _, beta in momentum], dtype=torch.float32),
            idle=not rows and not (uses_momentum and step),
            all_warm=all(warm),
            uses_partial=any(weight for row in partials for weight in row),
            uses_momentum=uses_momentum,
        )


def _moved(value, device: torch.device):
    tensors = {f.name: getattr(value, f.name) for f in fields(value) if f.type is torch.Tensor}
    return replace(value, **{name: tensor.to(device) for name, tensor in tensors.items()})


def _integers(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _padded(rows: list[list], fill: float) -> torch.Tensor:
    width = max((len(row) for row in rows), default=0)
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], dtype=torch.float32)
