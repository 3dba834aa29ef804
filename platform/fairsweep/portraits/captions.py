"""Captions as people write them: mostly the occupation alone, sometimes the groups, sometimes nothing."""

import re

import numpy as np

from fairsweep.portraits.world import ATTRIBUTES, OCCUPATIONS, PERSON, Person

_FORMS = {"a photo of the face of {}": 0.6, "a photo of {}": 0.1, "a portrait of {}": 0.1, "{}": 0.2}

# The named attributes are drawn without looking at the person, so that captions carry no bias of their own.
# "job" is the occupation; a caption without it says "person".
_KINDS: dict[tuple[str, ...], float] = {
    ("job",): 0.36,
    (): 0.10,
    ("gender", "job"): 0.20,
    ("gender",): 0.06,
    ("skin_tone",): 0.045,
    ("age",): 0.03,
    ("skin_tone", "job"): 0.065,
    ("age", "job"): 0.04,
    ("skin_tone", "gender", "job"): 0.03,
    ("age", "gender", "job"): 0.015,
    ("age", "skin_tone", "job", "glasses"): 0.02,
    ("age", "skin_tone", "gender", "job"): 0.015,
    ("gender", "job", "glasses"): 0.01,
    ("job", "glasses"): 0.01,
}
_NOUNS = {"female": "woman", "male": "man"}

# Words that no caption uses but prompts do.
_GENERIC = (
    "image picture photograph drawing illustration head headshot close up people women men",
    "in on and wearing no not looking at camera smiling hair background",
)


def draw_named(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw what a caption names, as people do: mostly "job", the occupation, alone; sometimes nothing."""
    return _pick(_KINDS, rng)


def caption(person: Person, rng: np.random.Generator, named: tuple[str, ...] | None = None) -> str:
    """Write one caption for the person: always true, possibly empty, "a" or "an" as English wants.

    `named` is the part of ("job", "gender", "skin_tone", "age", "glasses") to name; drawn where it is None.
    """
    if named is None:
        named = draw_named(rng)
    if not named:
        return ""
    form = _pick(_FORMS, rng)
    phrase = _phrase(person, named, plain_noun=rng.random() < 0.4)
    # A bare form is also typed without its article: "female firefighter".
    bare = form == "{}" and rng.random() < 0.5
    return form.format(phrase if bare else f"{_article(phrase)} {phrase}")


def _pick(shares: dict, rng: np.random.Generator):
    point = rng.random()
    for choice, share in shares.items():
        if point < share:
            return choice
        point -= share
    return choice


def _phrase(person: Person, named: tuple[str, ...], plain_noun: bool) -> str:
    adjectives = []
    if "age" in named:
        adjectives.append(person.age)
    if "skin_tone" in named:
        adjectives.append(f"{person.skin_tone}-skinned")
    words = ", ".join(adjectives).split()
    if plain_noun and "gender" in named and "job" not in named:
        words.append(_NOUNS[person.gender])
    else:
        words += [person.gender] if "gender" in named else []
        words.append(person.occupation if "job" in named else PERSON)
    if "glasses" in named:
        words += ["with" if person.glasses == "yes" else "without", "glasses"]
    return " ".join(words)


def _article(phrase: str) -> str:
    return "an" if phrase[0] in "aeiou" else "a"


def _vocabulary() -> tuple[str, ...]:
    groups = [group for name in ATTRIBUTES if name != "glasses" for group in ATTRIBUTES[name]]
    fixed = "an skinned with without glasses"
    text = " ".join([*_FORMS, *OCCUPATIONS, PERSON, fixed, *_NOUNS.values(), *groups, *_GENERIC])
    return tuple(sorted(set(re.findall(r"[a-z]+", text))))


VOCABULARY: tuple[str, ...] = _vocabulary()
