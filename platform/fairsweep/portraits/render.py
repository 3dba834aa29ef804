"""Draw a person as a 64x64 flat-style portrait, the same pixels for the same person and seed."""

import numpy as np

from fairsweep.portraits import clothes, hair, headgear
from fairsweep.portraits.canvas import Canvas, Points, mirror, points
from fairsweep.portraits.palette import GOLD, Colour, colour, mix
from fairsweep.portraits.world import Person

# Monk Skin Tone scale, https://skintone.google (Ellis Monk, CC BY 4.0).
MONK_HEX = (
    *("#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96"),
    *("#a07e56", "#825c43", "#604134", "#3a312a", "#292420"),
)
_SKIN = tuple(colour(h) for h in MONK_HEX)
_HAIR = {
    "black": colour("#2f2c42"),
    "brown": colour("#7a4a2b"),
    "blonde": colour("#e3b75c"),
    "red": colour("#c2562a"),
    "grey": colour("#c9ccd3"),
}
_BACKGROUNDS = {
    "blue": colour("#7fb2dd"),
    "green": colour("#86c29b"),
    "purple": colour("#a896d6"),
    "pink": colour("#e294a8"),
}
_BLACK, _WHITE, _INK = (0, 0, 0), (255, 255, 255), colour("#221a20")
_EYE_WHITE = colour("#f4f1ec")
_LIPS, _ROSE, _BLUSH = colour("#cf2f4f"), colour("#c0566a"), colour("#ef7f78")

_OVAL = mirror(points("32,14 40.5,16.5 45.4,25 44.9,33 41,41 36,45.2 32,46.2"))
_SQUARE = mirror(points("32,14 41,16.5 45.6,25 45.4,35 43.4,42 37.5,46.6 32,47"))
_BEARD = points(
    "18.8,32.6 21.2,36.8 25.6,38 32,36.8 38.4,38 42.8,36.8 45.2,32.6 45.6,38.5 43,44 "
    "37.5,48.4 32,49 26.5,48.4 21,44 18.4,38.5"
)
_MOUSTACHE = points("32,36.4 36,36.4 39.5,39.6 35,39.4 32,38.8 29,39.4 24.5,39.6 28,36.4")

# Each portrait shows its gender by all of these cues but at most one, so that none of them is a rule.
_GENDER_CUES = ("hair", "lips", "lashes", "brows", "jaw")


def render(person: Person, seed: int) -> np.ndarray:
    """Draw the person: uint8 (64, 64, 3).

    The seed varies what the attributes leave open: pose (up to 2 pixels and 5 %), hair style, which gender
    cues show, beard, earrings, glasses' shape, the colour of plain clothes.
    """
    rng = np.random.default_rng(seed)
    dx, dy, zoom, shoulders, *chance = rng.random(16).tolist()
    canvas = Canvas(
        _BACKGROUNDS[person.background],
        shift=(4 * dx - 2, 3 * dy - 1),
        scale=0.95 + 0.1 * zoom,
    )
    looks_female = person.gender == "female"
    cues = dict.fromkeys(_GENDER_CUES, looks_female)
    if chance[0] < 0.25:
        cue = _GENDER_CUES[int(chance[1] * len(_GENDER_CUES))]
        cues[cue] = not looks_female

    skin = _SKIN[person.monk - 1]
    hair_colour = _HAIR[person.hair_colour]
    # The darkest tones are modelled with light instead of shadow, so that faces keep their relief.
    if person.monk < 9:
        relief, hairline = mix(skin, colour("#8a4a3c"), 0.30), mix(hair_colour, _BLACK, 0.28)
    else:
        relief = hairline = mix(skin, colour("#b98468"), 0.38)
    is_dark = person.skin_tone == "dark"
    brow = mix(hair_colour, relief if person.monk > 8 else _INK, 0.35)
    style = _hair_style(person, cues["hair"], chance[2])

    clothes.draw_scene(canvas, person.occupation)
    hair.draw_behind(canvas, style, hair_colour)
    width = (19.5 if looks_female else 23) + 2 * shoulders
    _neck(canvas, skin, relief)
    clothes.draw_clothes(canvas, person.occupation, width, chance[3])
    _head(canvas, _OVAL if cues["jaw"] else _SQUARE, skin, relief)
    if person.age == "old":
        _lines_of_age(canvas, relief, mix(relief, _INK if person.monk < 9 else _WHITE, 0.12))
    if not looks_female and chance[4] < 0.32:
        canvas.blob(_BEARD, hairline, drop=-0.9)
        canvas.blob(_BEARD, hair_colour)
    if not looks_female and chance[4] < 0.5:
        canvas.blob(_MOUSTACHE, mix(hair_colour, _BLACK, 0.1))
    _mouth(canvas, skin, is_dark, red=cues["lips"])
    if person.glasses == "yes":
        _lenses(canvas, skin, chance[5] < 0.5)
    _eyes(canvas, brow, cues["lashes"], thin_brows=cues["brows"], tired=person.age == "old")
    if person.glasses == "yes":
        _frames(canvas, GOLD if is_dark else colour("#3b2f4a"), chance[5] < 0.5)
    hair.draw_front(canvas, style, hair_colour, hairline)
    if chance[6] < (0.6 if looks_female else 0.04):
        for x in (18, 46):
            canvas.ellipse(x, 37.6, 1.7, 1.9, GOLD)
    headgear.draw_headgear(canvas, person.occupation)
    return canvas.pixels()


def _hair_style(person: Person, is_long: bool, chance: float) -> str:
    if not is_long and person.age == "old" and person.gender == "male" and chance < 0.4:
        return hair.RECEDING
    styles = hair.LONG_STYLES if is_long else hair.SHORT_STYLES
    return styles[int(chance * len(styles))]


def _neck(canvas: Canvas, skin: Colour, relief: Colour) -> None:
    canvas.box(26, 38, 38, 58, skin)
    canvas.ellipse(32, 45.5, 7.2, 5.2, relief)


def _head(canvas: Canvas, outline: Points, skin: Colour, relief: Colour) -> None:
    for x in (18.4, 45.6):
        canvas.ellipse(x, 32, 3.1, 4.1, relief)
        canvas.ellipse(x, 32, 2.3, 3.3, skin)
    canvas.blob(outline, relief)
    canvas.blob(tuple((32 + (x - 32) * 0.945, 30 + (y - 30) * 0.955) for x, y in outline), skin)
    blush = mix(skin, _BLUSH, 0.42 if sum(skin) > 300 else 0.22)
    canvas.ellipse(23, 35.8, 3, 2.2, blush)
    canvas.ellipse(41, 35.8, 3, 2.2, blush)
    canvas.stroke(((31.2, 35), (32.4, 35.7), (33.6, 34.9)), relief, 1.5)


def _lines_of_age(canvas: Canvas, soft: Colour, line: Colour) -> None:
    canvas.stroke(((26.5, 22.2), (32, 21.5), (37.5, 22.2)), line, 1.4)
    for side in (-1, 1):
        canvas.stroke(((32 + side * 4.2, 34), (32 + side * 6.6, 34.6), (32 + side * 8.8, 33.8)), soft, 1.3)
        canvas.stroke(((32 + side * 4.2, 36), (32 + side * 6.4, 38.4), (32 + side * 6.8, 41.2)), line, 1.4)


def _mouth(canvas: Canvas, skin: Colour, is_dark: bool, red: bool) -> None:
    if red:
        outline = points("27.4,39.2 30.4,38.6 32,39.2 33.6,38.6 36.6,39.2 34.8,41.8 32,42.6 29.2,41.8")
        canvas.blob(outline, mix(skin, _ROSE, 0.72) if is_dark else _LIPS)
    else:
        lip = mix(skin, _ROSE, 0.45) if is_dark else mix(skin, colour("#5e1f22"), 0.75)
        canvas.stroke(points("27.4,39.4 29.4,41 32,41.6 34.6,41 36.6,39.4"), lip, 1.7)


def _eyes(canvas: Canvas, brow: Colour, lashes: bool, thin_brows: bool, tired: bool) -> None:
    droop = 1.0 if tired else 0.0
    for side in (-1, 1):
        x = 32 + side * 5.8
        canvas.ellipse(x, 30.6, 2.8, 2.7, _EYE_WHITE)
        canvas.ellipse(x, 30.6, 2, 2.3, _INK)
        canvas.ellipse(x - 0.7, 29.7, 0.75, 0.75, _EYE_WHITE)
        if lashes:
            canvas.stroke(((x - side * 2.8, 29.8), (x, 27.6), (x + side * 2.9, 29.2)), _INK, 1.3)
            canvas.stroke(((x + side * 2.6, 29), (x + side * 4.5, 28)), _INK, 1.4)
        # The inner end stays above the outer one: the other way round looks angry.
        arch = ((x - side * 2.8, 24.6), (x + side * 0.6, 23.9), (x + side * 3.6, 25.4 + droop))
        canvas.stroke(arch, brow, 1.3 if thin_brows else 2.4)


def _lenses(canvas: Canvas, skin: Colour, is_round: bool) -> None:
    for x in (26.2, 37.8):
        glass = mix(skin, (226, 242, 255), 0.35)
        if is_round:
            canvas.ellipse(x, 30.6, 5.2, 5.2, glass)
        else:
            canvas.box(x - 5.2, 26.6, x + 5.2, 34.6, glass, 1.5)


def _frames(canvas: Canvas, fill: Colour, is_round: bool) -> None:
    for x in (26.2, 37.8):
        if is_round:
            canvas.ring(x, 30.6, 5.5, 5.5, fill, 1.4)
        else:
            canvas.frame(x - 5.5, 26.3, x + 5.5, 34.9, fill, 1.4)
    canvas.stroke(((31, 29.8), (33, 29.8)), fill, 1.4)
    canvas.stroke(((18.6, 29.6), (21.4, 29.6)), fill, 1.4)
    canvas.stroke(((42.6, 29.6), (45.4, 29.6)), fill, 1.4)
