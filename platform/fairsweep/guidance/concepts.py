"""What steers an image: concepts, the edit that they make up, and what an image is made from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real

from fairsweep.errors import FairsweepError


@dataclass(frozen=True)
class Concept:
    """One text to steer toward, or away from with `reverse`, with the parameters of Semantic Guidance.

    threshold: the quantile in [0, 1) of each channel's absolute guidance below which nothing is changed.
    warmup_steps: steps before the concept acts. cooldown_steps: the step at which it ceases (None: never). Both are
    whole steps, or between 0 and 1 a fraction of the image's steps, see `Edit.counted`.
    Defaults are Fair Diffusion's (arXiv 2302.10893, section 4).
    """

    text: str
    reverse: bool = False
    scale: float = 4.0
    threshold: float = 0.95
    warmup_steps: float = 5
    cooldown_steps: float | None = None
    weight: float = 1.0

    def __post_init__(self):
        if not isinstance(self.text, str):
            raise FairsweepError(f"a concept is one text, not {repr(self.text)[:60]}: give one Concept per text")
        for name in ("scale", "threshold", "weight"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and math.isfinite(value)):
                shown = repr(value)[:60]
                raise FairsweepError(
                    f"{name} {shown} of {self.text!r} is no finite number: give one number per concept"
                )
        if not 0 <= self.threshold <= 1:
            raise FairsweepError(f"threshold {self.threshold} of {self.text!r} is no quantile: give 0 to 1")
        for name in ("warmup_steps", "cooldown_steps"):
            value = getattr(self, name)
            if value is not None and not is_steps(value):
                raise FairsweepError(f"{name} {repr(value)[:60]} of {self.text!r} is {NO_STEPS}")

    def counted(self, steps: int) -> "Concept":
        """Return the concept for images of so many steps, see `Edit.counted`."""
        warmup, cooldown = (
            round(value * steps) if value is not None and is_fraction(value) else value
            for value in (self.warmup_steps, self.cooldown_steps)
        )
        return replace(self, warmup_steps=warmup or 0, cooldown_steps=cooldown)

    def cooled(self, step: float) -> bool:
        """Tell whether the concept has ceased to act before a step (from 0)."""
        return self.cooldown_steps is not None and step >= self.cooldown_steps


@dataclass(frozen=True)
class Edit:
    """All concepts that steer one image at once, and the momentum that they share.

    concepts_every: steps for which what the concepts say at one is used; above 1 an approximation.
    """

    concepts: tuple[Concept, ...]
    momentum_scale: float = 0.5
    momentum_beta: float = 0.6
    concepts_every: int = 1

    def __post_init__(self):
        if not (isinstance(self.concepts, Sequence) and all(isinstance(item, Concept) for item in self.concepts)):
            raise FairsweepError(f"an edit holds a tuple of Concepts, not {repr(self.concepts)[:60]}")
        if not self.concepts:
            raise FairsweepError("an edit needs at least one concept; use None for an image without guidance")
        if not (type(self.concepts_every) is int and self.concepts_every >= 1):
            raise FairsweepError(f"concepts_every {repr(self.concepts_every)[:60]} is no whole number from 1 on")

    @property
    def has_momentum(self) -> bool:
        """Tell whether what concepts say at one step acts at later ones."""
        return self.momentum_scale != 0 and self.momentum_beta < 1

    def counted(self, steps: int) -> "Edit":
        """Return the edit for images of so many steps: fractions of them become the nearest whole steps."""
        if not any(is_fraction(c.warmup_steps) or is_fraction(c.cooldown_steps) for c in self.concepts):
            return self
        return replace(self, concepts=tuple(concept.counted(steps) for concept in self.concepts))

    def asks(self, step: int) -> bool:
        """Tell whether the denoiser is asked for the concepts at a step, counted since one began or ended last."""
        bounds = [bound for c in self.concepts for bound in (c.warmup_steps, c.cooldown_steps) if bound]
        return int(step - max((bound for bound in bounds if bound <= step), default=0)) % self.concepts_every == 0

    def running(self, step: int) -> list[Concept]:
        """Return the concepts that need a row of the denoiser at a step (from 0)."""
        # Momentum gathers what concepts say during warm-up; without it, a concept that warms up has no effect.
        return [
            concept
            for concept in self.concepts
            if (step >= concept.warmup_steps or self.has_momentum)
            and not concept.cooled(step)
            and concept.scale != 0
            and concept.weight > 0
        ]


@dataclass(frozen=True)
class Conditioning:
    """What one image is made from: its prompt, its negative prompt, its edit and its source picture if it has them.

    source: the id of the picture's content.
    """

    prompt: str
    negative_prompt: str = ""
    edit: Edit | None = None
    source: str | None = None

    def counted(self, steps: int) -> "Conditioning":
        """Return the conditioning of images of so many steps, see `Edit.counted`."""
        edit = self.edit and self.edit.counted(steps)
        return self if edit is self.edit else replace(self, edit=edit)


NO_STEPS = "no number of steps: give whole steps from 0 on, or a fraction of all steps between 0 and 1"


def is_steps(value: float) -> bool:
    """Tell whether a number counts steps: whole ones from 0 on, or a fraction of all between 0 and 1."""
    if isinstance(value, bool) or not (isinstance(value, Real) and math.isfinite(value)):
        return False
    return is_fraction(value) or (value >= 0 and value == int(value))


def is_fraction(steps: float | None) -> bool:
    """Tell whether a number of steps is a fraction of all."""
    return steps is not None and 0 < steps < 1


def toward(
    text: str,
    *away_from: str,
    momentum_scale: float = 0.5,
    momentum_beta: float = 0.6,
    concepts_every: int = 1,
    **concept,
) -> Edit:
    """Build the edit that pushes one concept and pulls the others, at Fair Diffusion's settings.

    The others share one weight, see `pull_weight`. `concept` takes Concept's scale, threshold, warmup_steps and
    cooldown_steps.
    """
    pulled = (Concept(other, reverse=True, weight=pull_weight(len(away_from)), **concept) for other in away_from)
    return Edit((Concept(text, **concept), *pulled), momentum_scale, momentum_beta, concepts_every)


def pull_weight(others: int, pull: float | None = None) -> float:
    """Return the weight of each pulled group, beside 1 for the pushed one: they share `pull`.

    Where silent it is 1 for one other group, Fair Diffusion's pair, and 0.1 for more: these lie on both sides of
    a middle group, and a stronger pull on the one that the model finds farther throws the image to the other side.
    """
    if pull is None:
        pull = 1.0 if others == 1 else 0.1
    return pull / others
