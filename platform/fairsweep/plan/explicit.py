"""Which prompts name a group: by the declared groups' words, and by how a text encoder places them.

A prompt that names a group asks for it, and is not to be steered against it. Words find what is declared ("a female
doctor"); the encoder finds what says the same in other words ("a woman who is a doctor").
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairsweep.attributes import AttributeSpec

Vectors = NDArray[np.float64]
# Vectors of texts, [texts, dimensions].
Encode = Callable[[Sequence[str]], Vectors]

# What the threshold is chosen on: people whom nobody has described, and the same with a group's own text.
_FORMS = ("a photo of {}", "a portrait of {}", "a photo of the face of {}", "a picture of {} at work")
_NEUTRAL = (
    "a person",
    "a worker",
    "a teacher",
    "a doctor",
    "a nurse",
    "a cook",
    "a driver",
    "an artist",
    "an engineer",
)


_DIGITS = 4
# Below it an encoder does not tell the two apart, and words stand alone.
LEAST_AREA = 0.95


@dataclass(frozen=True)
class Gate:
    """How an encoder tells prompts that name a group of one attribute: by a score, from a threshold on.

    area: under the curve, of the texts that the threshold was chosen on.
    """

    groups: tuple[str, ...]
    directions: Vectors
    threshold: float
    area: float
    encode: Encode

    def scores(self, prompts: Sequence[str]) -> Vectors:
        """Return how far each prompt lies to each group's side, [prompts, groups]: a cosine."""
        return _unit(self.encode(prompts)) @ self.directions.T

    def named(self, prompt: str) -> tuple[str | None, float]:
        """Return the group that a prompt names, None where it names none, and its highest score.

        Both are of rounded scores, which do not depend on the machine that encodes.
        """
        (scores,) = self.scores([prompt])
        score = round(float(scores.max()), _DIGITS)
        clear = self.area >= LEAST_AREA and score > self.threshold
        return (self.groups[scores.argmax()] if clear else None), score


def by_words(prompt: str, attributes: Mapping[str, AttributeSpec]) -> dict[str, tuple[str, ...]]:
    """Return attribute -> the groups that a prompt names by a word which only that group's text has."""
    there = set(_words(prompt))
    named = {}
    for name, attribute in attributes.items():
        words = {group: set(_words(text)) for group, text in attribute.texts.items()}
        own = {
            group: each.difference(*(other for key, other in words.items() if key != group))
            for group, each in words.items()
        }
        if groups := tuple(group for group, each in own.items() if each & there):
            named[name] = groups
    return named


def stimuli(attribute: AttributeSpec) -> tuple[list[list[str]], list[str], list[str]]:
    """Return what a gate is made of: each group's own texts; texts that name no group; the same with one."""
    own = [[form.format(f"a {text}") for form in _FORMS] for text in attribute.texts.values()]
    neutral = [form.format(noun) for form in _FORMS for noun in _NEUTRAL]
    joined = [f"{prompt}, a {text}" for prompt in neutral for text in attribute.texts.values()]
    return own, neutral, [*joined, *(prompt for each in own for prompt in each)]


def gate(attribute: AttributeSpec, encode: Encode) -> Gate:
    """Return the gate of one attribute: its threshold parts prompts without a group from the same with one, best."""
    own, neutral, explicit = stimuli(attribute)
    groups = np.stack([_unit(encode(each)).mean(0) for each in own])
    directions = _unit(groups - (groups.sum(0) - groups) / (len(groups) - 1))
    scores = [(_unit(encode(prompts)) @ directions.T).max(1) for prompts in (neutral, explicit)]
    cut, area = round(threshold(*scores), _DIGITS), round(_area(*scores), _DIGITS)
    return Gate(tuple(attribute.texts), directions, cut, area, encode)


def threshold(neutral: Vectors, explicit: Vectors) -> float:
    """Return the score that parts the two best (Youden's index), halfway between the scores beside it."""
    scores = np.unique(np.concatenate([neutral, explicit]))
    if len(scores) == 1:
        return float(scores[0])
    between = (scores[1:] + scores[:-1]) / 2
    gained = [(explicit > cut).mean() - (neutral > cut).mean() for cut in between]
    # Of several that part alike, the middle of the widest gap.
    best = np.flatnonzero(np.isclose(gained, max(gained)))
    return float(between[best[np.diff(scores)[best].argmax()]])


def _area(neutral: Vectors, explicit: Vectors) -> float:
    """Return the area under the curve: how often a text with a group scores above one without."""
    above = explicit[:, None] - neutral[None]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w]+(?:-[\w]+)*", text.casefold())


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
