"""Hair styles: what falls behind the head and what covers its top."""

from fairsweep.portraits.canvas import Canvas, Points, mirror, points
from fairsweep.portraits.palette import Colour, mix

_LONG = mirror(points("32,9.5 42,12 48,21 49,36 50,51 45,57 38,55"))
_BOB = mirror(points("32,9.5 42,12 48.5,21 50,35 48.5,45 42,47"))
_CURTAINS = points(
    "15.6,42 15.5,26 20,15 32,9.8 44,15 48.5,26 48.4,42 46,41 45.2,31 42,24 36.5,19.5 "
    "32,16.5 27.5,19.5 22,24 18.8,31 18,41"
)
_FRINGE = points(
    "15.6,40 15.5,26 20,15 32,9.8 44,15 48.5,26 48.4,40 46,39 45,31 43.8,24.5 38,22.5 "
    "32,23 26,22.5 20.2,24.5 19,31 18,39"
)
_CROP = points(
    "18,30 17.2,22 20.5,14.2 32,10.2 43.5,14.2 46.8,22 46,30 44.6,29 43.6,23.5 40,20 32,19 24,20 20.4,23.5 19.4,29"
)
_QUIFF = points(
    "18,30 17,22 19.5,13.5 29,9 42,10 47.2,17 46.9,24 46,30 44.6,29 43.4,22.5 38,20.5 29,18.5 24,15.8 21.5,21 19.4,29"
)
_RECEDING = points(
    "17.6,31 16.8,23 20.5,14.8 32,12.2 43.5,14.8 47.2,23 46.4,31 44.6,30 43.8,23 41,17.5 "
    "32,15.4 23,17.5 20.2,23 19.4,30"
)
_CURLS = points("19,24 20,18.5 24,14.5 29,12.5 35,12.5 40,14.5 44,18.5 45,24")
_WAVES = tuple((x, y) for y in (20, 27, 34, 41, 48) for x in (17, 47))
_PUFF = points("16,33 14.5,26 17,19 22,13.5 28,11 36,11 42,13.5 47,19 49.5,26 48,33")

LONG_STYLES = ("straight", "fringe", "bob", "waves", "puff")
SHORT_STYLES = ("crop", "quiff", "curls")
RECEDING = "receding"


def draw_behind(canvas: Canvas, style: str, hair: Colour) -> None:
    """Draw what falls behind head and shoulders; short styles have nothing there."""
    shade = mix(hair, (0, 0, 0), 0.14)
    if style in ("straight", "fringe"):
        canvas.blob(_LONG, shade)
    elif style == "bob":
        canvas.blob(_BOB, shade)
    elif style == "waves":
        canvas.blob(_LONG, shade)
        _cluster(canvas, _WAVES, 5, shade)
    elif style == "puff":
        canvas.ellipse(32, 27, 18, 16, shade)
        _cluster(canvas, _PUFF, 5.6, shade)


def draw_front(canvas: Canvas, style: str, hair: Colour, hairline: Colour) -> None:
    """Draw what covers the top of the head, edged with `hairline` towards the face, with a shine."""
    outline = {
        "straight": _CURTAINS,
        "waves": _CURTAINS,
        "fringe": _FRINGE,
        "bob": _FRINGE,
        "quiff": _QUIFF,
        RECEDING: _RECEDING,
    }.get(style, _CROP)
    if style in ("curls", "puff"):
        _cluster(canvas, _CURLS, 3.4, hair)
    canvas.blob(outline, hairline, drop=1)
    canvas.blob(outline, hair)
    if style != RECEDING:
        canvas.stroke(((23.5, 17.2), (27, 14.4), (31.5, 13.3)), mix(hair, (255, 255, 255), 0.22), 1.6)


def _cluster(canvas: Canvas, centres: Points, radius: float, fill: Colour) -> None:
    for x, y in centres:
        canvas.ellipse(x, y, radius, radius, fill)
