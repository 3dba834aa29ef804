"""Which prompts name a group: by the declared groups' words, and by how a text encoder places them.

A prompt that names a group asks for it, and is not to be steered against it. Words find what is declared ("a female
doctor"); the encoder finds what says the same in other words ("a doctor, she smiles").
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

# What the threshold is chosen on: people whom nobody has described, and the same forms with a group's own text.
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


@dataclass(frozen=True)
class Gate:
    """How an encoder tells prompts that name a group of one attribute: by a score, from a threshold on."""

    groups: tuple[str, ...]
    directions: Vectors
    threshold: float
    encode: Encode

    def scores(self, prompts: Sequence[str]) -> Vectors:
        """Return how far each prompt lies to each group's side, [prompts, groups]: a cosine."""
        return _unit(self.encode(prompts)) @ self.directions.T

    def named(self, prompts: Sequence[str]) -> list[str | None]:
        """Return the group that each prompt names; None where it names none."""
        scores = self.scores(prompts)
        return [
            self.groups[best] if score > self.threshold else None
            for best, score in zip(scores.argmax(1).tolist(), scores.max(1).tolist(), strict=True)
        ]


def named(
    prompts: Sequence[str], attributes: Mapping[str, AttributeSpec], encode: Encode | None = None
) -> list[dict[str, tuple[str, ...]]]:
    """Return for each prompt attribute -> the groups that it names: by a word, else by the encoder if there is one."""
    groups = [by_words(prompt, attributes) for prompt in prompts]
    for name, attribute in attributes.items():
        if encode is None:
            continue
        for each, group in zip(groups, gate(attribute, encode).named(prompts), strict=True):
            if group and name not in each:
                each[name] = (group,)
    return groups


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


def gate(attribute: AttributeSpec, encode: Encode) -> Gate:
    """Return the gate of one attribute: its threshold parts prompts without a group from the same with one, best."""
    texts = list(attribute.texts.values())
    forms = [[form.format(f"a {text}") for form in _FORMS] for text in texts]
    groups = np.stack([_unit(encode(each)).mean(0) for each in forms])
    directions = _unit(groups - (groups.sum(0) - groups) / (len(groups) - 1))
    neutral = [form.format(noun) for form in _FORMS for noun in _NEUTRAL]
    explicit = [prompt for each in forms for prompt in each]
    scores = [(_unit(encode(prompts)) @ directions.T).max(1) for prompts in (neutral, explicit)]
    return Gate(tuple(attribute.texts), directions, threshold(*scores), encode)


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


def _words(text: str) -> list[str]:
    return re.findall(r"[\w]+(?:-[\w]+)*", text.casefold())


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
