"""Which concept rows run at which step: worked out once from the edits, in Python, before the first step."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch

from fairsweep.guidance.concepts import Concept, Edit


@dataclass(frozen=True)
class Phase:
    """A run of steps over which the same concept rows are active.

    R rows (one concept of one image each, images in order), M edited images, K concepts at most of an image.
    """

    start: int  # the first step
    rows: tuple[tuple[int, int], ...]  # R times (image, text), as below
    image: torch.Tensor  # [R] the row's image, as an index into the whole batch
    text: torch.Tensor  # [R] the row's text, as an index into `Schedule.texts`
    scale: torch.Tensor  # [R] negative where the concept is reversed
    threshold: torch.Tensor  # [R]
    steered: torch.Tensor  # [U] images that have a row, as indices into the batch
    base: torch.Tensor  # [R] the row's image, as an index into `steered`
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
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.type is torch.Tensor}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})


class Schedule:
    """The phases of a batch of edits, and the texts that they need."""

    def __init__(self, edits: Sequence[Edit | None]):
        self.edits = {index: edit for index, edit in enumerate(edits) if edit is not None}
        concepts = [concept for edit in self.edits.values() for concept in edit.concepts]
        self.texts = list(dict.fromkeys(concept.text for concept in concepts))
        bounds = {steps for concept in concepts for steps in (concept.warmup_steps, concept.cooldown_steps)}
        self._bounds = sorted(int(bound) for bound in bounds if bound)
        self._phases = [self._phase(step) for step in (0, *self._bounds)]

    def to(self, device: torch.device) -> None:
        """Move every phase to the device, so that no step has to."""
        self._phases = [phase.to(device) for phase in self._phases]

    def phase(self, step: int) -> Phase:
        """Return the phase of a denoising step (from 0)."""
        return self._phases[bisect_right(self._bounds, step)]

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
        steered = list(dict.fromkeys(index for index, _ in rows))
        uses_momentum = any(edit.has_momentum for edit in self.edits.values())
        momentum = [(edit.momentum_scale, edit.momentum_beta) for edit in self.edits.values()]
        return Phase(
            start=step,
            rows=tuple((index, self.texts.index(concept.text)) for index, concept in rows),
            image=_integers([index for index, _ in rows]),
            text=_integers([self.texts.index(concept.text) for _, concept in rows]),
            scale=torch.tensor([-c.scale if c.reverse else c.scale for _, c in rows], dtype=torch.float32),
            threshold=torch.tensor([concept.threshold for _, concept in rows], dtype=torch.float32),
            steered=_integers(steered),
            base=_integers([steered.index(index) for index, _ in rows]),
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


def _integers(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _padded(rows: list[list], fill: float) -> torch.Tensor:
    width = max((len(row) for row in rows), default=0)
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], dtype=torch.float32)
