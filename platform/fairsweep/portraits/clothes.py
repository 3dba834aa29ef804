"""What shows the occupation below and behind the face: clothes, and a scene at the back."""

from fairsweep.portraits.canvas import Canvas, points
from fairsweep.portraits.palette import CLOTH_WHITE, DARK, GOLD, NAVY, RED, SILVER, Colour, colour, mix
from fairsweep.portraits.world import PERSON

_UNIFORM, _DENIM, _REFLECTIVE = colour("#27305c"), colour("#3f6fb5"), colour("#f4f7d0")
_PAINTS = (RED, colour("#ffd21f"), colour("#2f5fc4"), colour("#2fae4d"))
_SHIRTS = tuple(colour(h) for h in ("#e8704f", "#3d8f8a", "#f0c44c", "#5566b5"))

_CLOTHES = {
    PERSON: None,
    "firefighter": colour("#3b3a44"),
    "nurse": colour("#5cc9b0"),
    "chef": CLOTH_WHITE,
    "teacher": colour("#a5673f"),
    "student": colour("#4b2e83"),
    "doctor": CLOTH_WHITE,
    "pilot": _UNIFORM,
    "police officer": colour("#6f9bd8"),
    "farmer": colour("#c63a3a"),
    "construction worker": colour("#ff7a1a"),
    "call center agent": colour("#4a4f9c"),
    "scientist": CLOTH_WHITE,
    "artist": CLOTH_WHITE,
    "athlete": colour("#18a558"),
}


def draw_scene(canvas: Canvas, occupation: str) -> None:
    """Draw what stands behind the person."""
    if occupation == "teacher":
        canvas.box(-12, 1.5, 76, 46, colour("#b9793f"))
        canvas.box(-9, 4.5, 73, 43, colour("#2f6b4f"))
        for x in (3, 51):
            for y in (11, 18, 25):
                canvas.stroke(((x, y), (x + 4, y - 1.4), (x + 9, y)), colour("#e8efe6"), 1.6)


def draw_clothes(canvas: Canvas, occupation: str, width: float, chance: float) -> None:
    """Draw shoulders `width` wide to each side and what the occupation wears on them."""
    fill = _CLOTHES[occupation] or _SHIRTS[int(chance * len(_SHIRTS))]
    shade = mix(fill, DARK, 0.22)
    for grow, tone in ((0.8, shade), (0, fill)):
        half = width + grow
        canvas.polygon(
            (
                *((32 - half, 72), (32 - half, 58.5 - grow), (32 - half + 4, 54.5 - grow), (25, 49.5 - grow)),
                *((26.2, 49.5), (32, 54.5), (37.8, 49.5), (39, 49.5 - grow)),
                *((32 + half - 4, 54.5 - grow), (32 + half, 58.5 - grow), (32 + half, 72)),
            ),
            tone,
        )
    dress = _DRESSING.get(occupation)
    if dress:
        dress(canvas, shade)
    else:
        canvas.stroke(((26, 50), (32, 55), (38, 50)), shade, 1.8)


def _firefighter_coat(canvas: Canvas, shade: Colour) -> None:
    canvas.box(30.6, 54, 33.4, 72, shade)
    for x0, x1 in ((14.4, 29.5), (34.5, 49.6)):
        canvas.box(x0, 57, x1, 60.6, colour("#e9f23a"))
    canvas.stroke(((25, 50), (32, 55.5), (39, 50)), GOLD, 2.2)


def _scrubs(canvas: Canvas, shade: Colour) -> None:
    canvas.stroke(((25.6, 50), (32, 57), (38.4, 50)), mix(shade, DARK, 0.2), 2)
    canvas.box(38, 58.4, 44, 66, shade, 0.8)


def _chef_jacket(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(points("25,49.5 32,52.5 39,49.5 37,55.5 32,54 27,55.5"), RED)
    for x in (27.5, 36.5):
        for y in (58, 62.4):
            canvas.ellipse(x, y, 1.5, 1.5, DARK)


def _cardigan(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(((26, 49.5), (38, 49.5), (32, 62)), CLOTH_WHITE)
    canvas.stroke(((26, 49.5), (32, 62), (32, 70)), shade, 1.8)
    canvas.stroke(((38, 49.5), (32, 62)), shade, 1.8)


def _gown(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(((26.4, 49.5), (37.6, 49.5), (32, 57)), CLOTH_WHITE)
    for side in (-1, 1):
        canvas.stroke(((32 + side * 6, 50), (32 + side * 2.6, 58), (32 + side * 2.6, 70)), GOLD, 2.4)


def _white_coat(canvas: Canvas, inside: Colour) -> None:
    canvas.polygon(((26, 49.5), (38, 49.5), (32, 66)), inside)
    edge = colour("#a9b4c6")
    canvas.stroke(((26, 50), (32, 65.5)), edge, 1.6)
    canvas.stroke(((38, 50), (32, 65.5)), edge, 1.6)


def _doctor_coat(canvas: Canvas, shade: Colour) -> None:
    _white_coat(canvas, colour("#79b4e8"))
    tube = NAVY
    canvas.stroke(((24.4, 49.6), (24, 55), (27, 60)), tube, 2.2)
    canvas.stroke(((39.6, 49.6), (40.4, 54), (38.5, 58)), tube, 2.2)
    canvas.ellipse(27.4, 60.6, 3, 3, tube)
    canvas.ellipse(27.4, 60.6, 1.7, 1.7, SILVER)


def _pilot_jacket(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(((25.4, 49.5), (38.6, 49.5), (32, 64)), CLOTH_WHITE)
    canvas.polygon(points("30.2,53 33.8,53 34,64 32,67 30,64"), DARK)
    canvas.polygon(points("37.5,57.6 51,55.4 48.5,59 43,61 37.5,60"), GOLD)
    for x in (11, 47.5):
        canvas.box(x, 52.6, x + 5.5, 54.6, GOLD)


def _police_shirt(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(points("30,53 34,53 34.2,64 29.8,64"), DARK)
    canvas.stroke(((25.6, 50), (32, 55), (38.4, 50)), _UNIFORM, 2.4)
    canvas.star(42, 59, 4, GOLD)


def _overalls(canvas: Canvas, shade: Colour) -> None:
    for y in (54.2, 59.2):
        canvas.box(16, y, 48, y + 1.6, shade)
    canvas.box(23, 57.5, 41, 72, _DENIM, 1)
    for x in (23, 37):
        canvas.box(x, 50.5, x + 4, 60, _DENIM)
        canvas.ellipse(x + 2, 59.4, 1.5, 1.5, GOLD)


def _vest(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(((26, 49.5), (38, 49.5), (32, 60)), colour("#4d566b"))
    for x in (20, 40):
        canvas.box(x, 51.5, x + 4, 72, _REFLECTIVE)
    canvas.box(14, 60.6, 50, 63.6, _REFLECTIVE)


def _blazer(canvas: Canvas, shade: Colour) -> None:
    canvas.polygon(((25.6, 49.5), (38.4, 49.5), (32, 62)), colour("#ffe9c9"))
    canvas.stroke(((25.8, 50), (32, 62)), shade, 1.8)
    canvas.stroke(((38.2, 50), (32, 62)), shade, 1.8)


def _lab(canvas: Canvas, shade: Colour) -> None:
    _white_coat(canvas, colour("#7a4fb0"))
    glass = colour("#e7f6ff")
    canvas.polygon(points("45.6,47 52.4,47 52.4,53 60.5,68 37.5,68 45.6,53"), colour("#50708f"))
    canvas.polygon(points("47,48.4 51,48.4 51,53.4 58,68 40,68 47,53.4"), glass)
    canvas.polygon(points("45,57.6 53,57.6 58,68 40,68"), colour("#3ed14a"))


def _smock(canvas: Canvas, shade: Colour) -> None:
    for y in (53.4, 57.6, 61.8):
        canvas.box(17, y, 47, y + 2, _UNIFORM)
    canvas.ellipse(50, 59, 9.6, 7.2, colour("#8a5a2e"))
    canvas.ellipse(50, 59, 8.6, 6.3, colour("#d69c5c"))
    for (x, y), paint in zip(points("45.4,57 50,55.2 54.6,57 47.4,61.6"), _PAINTS, strict=True):
        canvas.ellipse(x, y, 2, 1.8, paint)


def _jersey(canvas: Canvas, shade: Colour) -> None:
    canvas.stroke(((25.6, 50), (32, 55.5), (38.4, 50)), CLOTH_WHITE, 2.2)
    canvas.box(30.2, 57.4, 34, 68, CLOTH_WHITE)
    canvas.polygon(points("30.2,57.4 30.2,60.4 27.4,61.6 27.4,59"), CLOTH_WHITE)


_DRESSING = {
    "firefighter": _firefighter_coat,
    "nurse": _scrubs,
    "chef": _chef_jacket,
    "teacher": _cardigan,
    "student": _gown,
    "doctor": _doctor_coat,
    "pilot": _pilot_jacket,
    "police officer": _police_shirt,
    "farmer": _overalls,
    "construction worker": _vest,
    "call center agent": _blazer,
    "scientist": _lab,
    "artist": _smock,
    "athlete": _jersey,
}
