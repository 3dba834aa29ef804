"""What shows the occupation above the brows, where it leaves hair and face to be seen."""

from fairsweep.portraits.canvas import Canvas, points
from fairsweep.portraits.palette import CLOTH_WHITE, DARK, GOLD, NAVY, RED, SILVER, Colour, colour, mix

_DOME = points("16,19.6 16,13 21,6.4 32,3.6 43,6.4 48,13 48,19.6 32,18.2")


def draw_headgear(canvas: Canvas, occupation: str) -> None:
    """Draw hat, cap, band or headset, above the brows so that hair and face keep showing."""
    wear = _HEADGEAR.get(occupation)
    if wear:
        wear(canvas)


def _dome(canvas: Canvas, fill: Colour, edge: Colour) -> None:
    canvas.blob(_DOME, edge)
    canvas.blob(tuple((32 + (x - 32) * 0.95, 19 + (y - 19) * 0.94) for x, y in _DOME), fill)


def _helmet(canvas: Canvas) -> None:
    edge = colour("#a3161f")
    canvas.box(29.6, 1.2, 34.4, 8, edge, 2)
    _dome(canvas, RED, edge)
    canvas.blob(points("10.5,19.6 16,16.4 32,14.8 48,16.4 53.5,19.6 46,20 32,18.8 18,20"), edge)
    canvas.polygon(points("27,6 37,6 37,12.5 32,16.4 27,12.5"), GOLD)
    canvas.ellipse(32, 10, 2.2, 2.2, RED)


def _nurse_cap(canvas: Canvas) -> None:
    canvas.polygon(points("16.6,4.6 47.4,4.6 44.2,17.2 32,15.6 19.8,17.2"), colour("#aab6c8"))
    canvas.polygon(points("18,5.6 46,5.6 43.2,16 32,14.4 20.8,16"), CLOTH_WHITE)
    canvas.box(30.3, 5.8, 33.7, 14, RED)
    canvas.box(27.9, 8.2, 36.1, 11.6, RED)


def _toque(canvas: Canvas) -> None:
    edge = colour("#b3bac8")
    for grow, tone in ((0.9, edge), (0, CLOTH_WHITE)):
        for x, y, r in ((20.5, 6.5, 6.4), (32, 3.4, 8.2), (43.5, 6.5, 6.4)):
            canvas.ellipse(x, y, r + grow, r + grow, tone)
        canvas.box(18.5 - grow, 8, 45.5 + grow, 19 + grow / 2, tone, 1)
    canvas.box(18.2, 14.2, 45.8, 15.6, edge)


def _mortarboard(canvas: Canvas) -> None:
    cap = colour("#2a1d4d")
    canvas.blob(points("17,19.6 17.4,12 32,9 46.6,12 47,19.6 32,17.8"), cap)
    canvas.polygon(points("32,1.2 58,8.4 32,15.4 6,8.4"), mix(cap, CLOTH_WHITE, 0.3))
    canvas.polygon(points("32,1.2 57,8 32,14.2 7,8"), cap)
    canvas.stroke(points("32,7.6 44,9 53,10.6 53.4,18"), GOLD, 1.7)
    canvas.box(51.4, 17, 55.4, 24.4, GOLD, 1.2)


def _head_mirror(canvas: Canvas) -> None:
    canvas.stroke(points("17.4,19.4 24,15.6 32,14.4 40,15.6 46.6,19.4"), NAVY, 2.8)
    canvas.ellipse(32, 11.8, 6.2, 6.2, colour("#5c7391"))
    canvas.ellipse(32, 11.8, 5.1, 5.1, colour("#e3eef8"))
    canvas.ellipse(32, 11.8, 1.7, 1.7, colour("#5c7391"))


def _pilot_cap(canvas: Canvas) -> None:
    canvas.blob(points("11.6,9 20,4 32,2.4 44,4 52.4,9 47,15 32,13 17,15"), colour("#aab2c4"))
    canvas.blob(points("13,9 20.5,5 32,3.4 43.5,5 51,9 46.4,14 32,12 17.6,14"), CLOTH_WHITE)
    canvas.polygon(points("16.8,12.4 32,10.8 47.2,12.4 46.8,18 32,16.4 17.2,18"), DARK)
    canvas.blob(points("17,17.4 32,15.4 47,17.4 41,20.6 32,21 23,20.6"), colour("#0f0f18"))
    canvas.ellipse(32, 11.4, 3.1, 3.1, GOLD)
    canvas.polygon(points("32,11 41,8.8 39,12.4 32,14 25,12.4 23,8.8"), GOLD)


def _police_cap(canvas: Canvas) -> None:
    cap = colour("#1f3f9e")
    canvas.blob(points("10.6,9.4 20,3.4 32,1.6 44,3.4 53.4,9.4 47,15 32,13 17,15"), cap)
    for column in range(10):
        x = 17 + column * 3
        for row in range(2):
            canvas.box(x, 13 + row * 2.3, x + 3, 15.3 + row * 2.3, CLOTH_WHITE if (column + row) % 2 else DARK)
    canvas.blob(points("17,17.6 32,16 47,17.6 41,20.8 32,21.2 23,20.8"), DARK)
    canvas.star(32, 8.4, 5, SILVER)


def _straw_hat(canvas: Canvas) -> None:
    straw, edge = colour("#e6b450"), colour("#a8772a")
    canvas.blob(points("17,16 18.6,7 24,3 32,4 40,3 45.4,7 47,16 32,17"), edge)
    canvas.blob(points("18,16 19.6,7.6 24.4,4 32,5 39.6,4 44.4,7.6 46,16 32,17"), straw)
    canvas.box(17.8, 11, 46.2, 15, colour("#7d4a24"))
    canvas.blob(points("3.6,18.6 14,14.6 32,13.8 50,14.6 60.4,18.6 46,20.4 32,19.6 18,20.4"), edge)
    canvas.blob(points("5.6,17.8 14,15.2 32,14.4 50,15.2 58.4,17.8 46,18.8 32,17.8 18,18.8"), straw)


def _hard_hat(canvas: Canvas) -> None:
    yellow, edge = colour("#ffd21f"), colour("#c98f00")
    _dome(canvas, yellow, edge)
    canvas.box(29, 3, 35, 16, colour("#ffe46b"), 2)
    for x in (24, 40):
        canvas.stroke(((x, 7), (x + (x - 32) * 0.12, 11), (x + (x - 32) * 0.16, 15)), edge, 1.6)
    canvas.blob(points("13,18.8 18,16.2 32,15 46,16.2 51,18.8 44,20.6 32,19.6 20,20.6"), edge)
    canvas.blob(points("14.4,18.2 18,16.4 32,15.2 46,16.4 49.6,18.2 44,19.2 32,18.2 20,19.2"), yellow)


def _headset(canvas: Canvas) -> None:
    dark, cyan = colour("#1f2230"), colour("#35c3e8")
    canvas.stroke(points("16.4,30 16,18 22,9.6 32,7 42,9.6 48,18 47.6,30"), dark, 2.6)
    for x in (16, 48):
        canvas.box(x - 3.4, 26, x + 3.4, 37, dark, 3)
        canvas.box(x - 1.8, 28, x + 1.8, 35, cyan, 1.8)
    canvas.stroke(((16, 36), (18.6, 42.6), (25.4, 44.4)), dark, 1.9)
    canvas.ellipse(26, 44.2, 2.6, 1.9, cyan)


def _goggles(canvas: Canvas) -> None:
    dark = colour("#2b3550")
    canvas.stroke(points("17,19 22,15.4 32,14.4 42,15.4 47,19"), dark, 3)
    for x in (26, 38):
        canvas.ellipse(x, 13, 6.2, 5, dark)
        canvas.ellipse(x, 13, 4.7, 3.6, colour("#7be0ff"))
        canvas.ellipse(x - 1.6, 11.8, 1.3, 1, CLOTH_WHITE)


def _beret(canvas: Canvas) -> None:
    felt, edge = colour("#b0278f"), colour("#7a1763")
    canvas.blob(points("15.4,17 17,9 26,4 40,2.2 53,7 55,13 47.4,18.4 32,17"), edge)
    canvas.blob(points("16.6,15.6 18,9.6 26.4,5.2 40,3.4 52,7.8 53.6,12.4 46.6,16.2 32,15"), felt)
    canvas.stroke(((35, 3.4), (36, 0.6)), edge, 2)


def _sweatband(canvas: Canvas) -> None:
    canvas.stroke(points("18.2,19.2 24,16.8 32,16 40,16.8 45.8,19.2"), CLOTH_WHITE, 5)
    canvas.stroke(points("18.2,19.2 24,16.8 32,16 40,16.8 45.8,19.2"), RED, 1.9)


_HEADGEAR = {
    "firefighter": _helmet,
    "nurse": _nurse_cap,
    "chef": _toque,
    "student": _mortarboard,
    "doctor": _head_mirror,
    "pilot": _pilot_cap,
    "police officer": _police_cap,
    "farmer": _straw_hat,
    "construction worker": _hard_hat,
    "call center agent": _headset,
    "scientist": _goggles,
    "artist": _beret,
    "athlete": _sweatband,
}
