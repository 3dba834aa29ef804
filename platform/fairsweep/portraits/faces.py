"""Portraits of plain persons whose groups are known: what an image-to-image sweep of the built-in world starts from."""

from collections.abc import Iterator
from itertools import count

import numpy as np
from PIL import Image

from fairsweep.portraits.render import render
from fairsweep.portraits.world import ATTRIBUTES, MONK_TONES, PERSON, READ_ATTRIBUTES, Person, draw_hair_colour


def faces() -> Iterator[tuple[str, Image.Image, dict[str, str]]]:
    """Yield portraits for ever: a name, the picture, and the groups that it shows.

    Every combination of gender, skin tone and age comes once in twelve, genders by turns; nobody has an occupation.
    """
    combinations = [
        (gender, tone, age)
        for age in READ_ATTRIBUTES["age"]
        for tone in READ_ATTRIBUTES["skin_tone"]
        for gender in READ_ATTRIBUTES["gender"]
    ]
    for number in count():
        random = np.random.default_rng(number)
        gender, skin_tone, age = combinations[number % len(combinations)]
        person = Person(
            occupation=PERSON,
            gender=gender,
            skin_tone=skin_tone,
            monk=int(random.choice(MONK_TONES[skin_tone])),
            age=age,
            glasses="no",
            hair_colour=draw_hair_colour(age, random),
            background=str(random.choice(ATTRIBUTES["background"])),
        )
        shown = {name: getattr(person, name) for name in ("gender", "skin_tone", "age")}
        yield f"{number:04d} {' '.join(shown.values())}", Image.fromarray(render(person, number)), shown
