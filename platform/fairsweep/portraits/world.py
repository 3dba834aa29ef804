"""The vocabulary of the calibration world, its planted bias, and the persons sampled from it."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "gender": ("female", "male"),
    "skin_tone": ("light", "medium", "dark"),
    "age": ("young", "old"),
    "glasses": ("no", "yes"),
    "hair_colour": ("black", "brown", "blonde", "red", "grey"),
    "background": ("blue", "green", "purple", "pink"),
}

PERSON = "person"
OCCUPATIONS: tuple[str, ...] = (
    "firefighter",
    "nurse",
    "chef",
    "teacher",
    "student",
    "doctor",
    "pilot",
    "police officer",
    "farmer",
    "construction worker",
    "call center agent",
    "scientist",
    "artist",
    "athlete",
)

READ_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    **{name: ATTRIBUTES[name] for name in ("gender", "skin_tone", "age")},
    "occupation": (*OCCUPATIONS, PERSON),
}
"""What the built-in classifier reads off a portrait, with the order of its classes."""

# Tones 4 and 7 sit on the borders between the groups and are left out, so that a group can be read off a
# face; so is 10, on which brows and dark hair cannot be told from skin at this size.
MONK_TONES: dict[str, tuple[int, ...]] = {"light": (1, 2, 3), "medium": (5, 6), "dark": (8, 9)}

_BIASED = ("gender", "skin_tone", "age")
_GLASSES = {"no": 0.7, "yes": 0.3}
_HAIR = {
    "young": {"black": 0.35, "brown": 0.30, "blonde": 0.20, "red": 0.15, "grey": 0.0},
    "old": {"black": 0.03, "brown": 0.03, "blonde": 0.02, "red": 0.02, "grey": 0.90},
}


@dataclass(frozen=True)
class Person:
    """One portrait's true attributes; `monk` is a tone (1..10) of the Monk Skin Tone scale."""

    occupation: str
    gender: str
    skin_tone: str
    monk: int
    age: str
    glasses: str
    hair_colour: str
    background: str


@cache
def bias_table() -> dict[str, dict[str, dict[str, float]]]:
    """Read `bias.csv`: occupation (or "person") -> attribute -> group -> planted share in [0, 1]."""
    text = Path(__file__).with_name("bias.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["occupation"]: {
            attribute: {group: float(row[group]) for group in ATTRIBUTES[attribute]} for attribute in _BIASED
        }
        for row in rows
    }


def planted_shares() -> list[dict]:
    """Return the bias table as rows of a reference distribution, one per occupation, attribute and group."""
    fixed = {"reference": "portraits-planted", "n": None}
    return [
        fixed | {"prompt_name": job, "attribute": name, "group": group, "share": share}
        for job, attributes in bias_table().items()
        for name, shares in attributes.items()
        for group, share in shares.items()
    ]


def sample(n: int, seed: int, occupation: str | None = None) -> list[Person]:
    """Draw n persons whose attributes follow the bias table.

    Occupations are uniform over OCCUPATIONS and the plain "person" unless `occupation` fixes one.
    Gender, skin tone and age are independent given the occupation; glasses and background are independent
    of everything; hair colour depends on age alone.
    """
    table = bias_table()
    names = (*OCCUPATIONS, PERSON) if occupation is None else (occupation,)
    unknown = set(names) - table.keys()
    if unknown:
        raise ValueError(f"unknown occupation {occupation!r}: choose one of {', '.join(table)}")
    rng = np.random.default_rng(seed)
    job = rng.integers(len(names), size=n)
    drawn = {
        attribute: _draw(rng, [list(table[name][attribute].values()) for name in names], job) for attribute in _BIASED
    }
    glasses = _draw(rng, [list(_GLASSES.values())], np.zeros(n, int))
    hair = _draw(rng, [list(_HAIR[age].values()) for age in ATTRIBUTES["age"]], drawn["age"])
    background = rng.integers(len(ATTRIBUTES["background"]), size=n)
    tone = rng.random(n)
    people = []
    for i in range(n):
        skin_tone = ATTRIBUTES["skin_tone"][drawn["skin_tone"][i]]
        tones = MONK_TONES[skin_tone]
        people.append(
            Person(
                occupation=names[job[i]],
                gender=ATTRIBUTES["gender"][drawn["gender"][i]],
                skin_tone=skin_tone,
                monk=tones[int(tone[i] * len(tones))],
                age=ATTRIBUTES["age"][drawn["age"][i]],
                glasses=ATTRIBUTES["glasses"][glasses[i]],
                hair_colour=ATTRIBUTES["hair_colour"][hair[i]],
                background=ATTRIBUTES["background"][background[i]],
            )
        )
    return people


def draw_hair_colour(age: str, rng: np.random.Generator) -> str:
    """Draw the hair colour of one person of this age."""
    return ATTRIBUTES["hair_colour"][_draw(rng, [list(_HAIR[age].values())], np.zeros(1, int))[0]]


def _draw(rng: np.random.Generator, shares: list[list[float]], row: np.ndarray) -> np.ndarray:
    """Draw one group index per entry of `row` (n,), by the shares (rows, groups) of the row it names."""
    edges = np.cumsum(shares, axis=1)[:, :-1]
    return (rng.random(len(row))[:, None] >= edges[row]).sum(axis=1)
