"""A small anti-aliased drawing surface in the units of the final 64x64 picture."""

import math
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw

from fairsweep.portraits.palette import Colour

SIZE = 64
_OVERSAMPLING = 4

Points = tuple[tuple[float, float], ...]

_STAR = tuple(
    (radius * math.sin(math.pi * k / 5), -radius * math.cos(math.pi * k / 5)) for k, radius in enumerate((1, 0.45) * 5)
)


@cache
def points(text: str) -> Points:
    """Read "x,y x,y ...", the notation of SVG."""
    pairs = (pair.split(",") for pair in text.split())
    return tuple((float(x), float(y)) for x, y in pairs)


def mirror(right: Points) -> Points:
    """Close a right half, listed from top to bottom, into an outline symmetric about the middle (x = 32)."""
    return right + tuple((SIZE - x, y) for x, y in reversed(right) if x != SIZE / 2)


class Canvas:
    """Draw with x and y in 0..64; everything is moved by `shift` and scaled about the middle by `scale`."""

    def __init__(self, background: Colour, shift: tuple[float, float], scale: float):
        side = SIZE * _OVERSAMPLING
        self._image = Image.new("RGB", (side, side), background)
        self._draw = ImageDraw.Draw(self._image)
        self._scale = scale * _OVERSAMPLING
        middle = SIZE / 2
        self._origin = np.array([_OVERSAMPLING * (middle * (1 - scale) + s) for s in shift])

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """Fill an ellipse given by its centre and radii."""
        self._draw.ellipse(self._corners(x - rx, y - ry, x + rx, y + ry), fill=fill)

    def ring(self, x: float, y: float, rx: float, ry: float, fill: Colour, width: float) -> None:
        """Draw an ellipse's line, `width` thick, inside its radii."""
        corners = self._corners(x - rx, y - ry, x + rx, y + ry)
        self._draw.ellipse(corners, outline=fill, width=round(width * self._scale))

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, radius: float = 0) -> None:
        """Fill a rectangle with corners rounded by `radius`."""
        corners = self._corners(x0, y0, x1, y1)
        self._draw.rounded_rectangle(corners, radius=radius * self._scale, fill=fill)

    def frame(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, width: float) -> None:
        """Draw a rounded rectangle's line, `width` thick, inside its edges."""
        s = self._scale
        corners = self._corners(x0, y0, x1, y1)
        self._draw.rounded_rectangle(corners, radius=1.8 * s, outline=fill, width=round(width * s))

    def polygon(self, outline: Points, fill: Colour) -> None:
        """Fill a polygon with sharp corners."""
        self._draw.polygon(self._place(np.array(outline)), fill=fill)

    def star(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """Fill a five-pointed star."""
        self.polygon(tuple((x + radius * dx, y + radius * dy) for dx, dy in _STAR), fill)

    def blob(self, outline: Points, fill: Colour, drop: float = 0) -> None:
        """Fill the smooth closed curve through the points, moved down by `drop`."""
        curve = _spline(outline, closed=True) + np.array([0, drop])
        self._draw.polygon(self._place(curve), fill=fill)

    def stroke(self, outline: Points, fill: Colour, width: float) -> None:
        """Draw the smooth open curve through the points, `width` thick, with round ends."""
        curve = self._place(_spline(outline, closed=False))
        self._draw.line(curve, fill=fill, width=round(width * self._scale), joint="curve")
        for x, y in (outline[0], outline[-1]):
            self.ellipse(x, y, width / 2, width / 2, fill)

    def pixels(self) -> np.ndarray:
        """Return the picture, uint8 (64, 64, 3)."""
        return np.asarray(self._image.reduce(_OVERSAMPLING))

    def _corners(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        s, (ox, oy) = self._scale, self._origin
        return s * x0 + ox, s * y0 + oy, s * x1 + ox, s * y1 + oy

    def _place(self, points: np.ndarray) -> list[float]:
        return (points * self._scale + self._origin).ravel().tolist()


@lru_cache(maxsize=1024)
def _spline(points: Points, closed: bool, steps: int = 6) -> np.ndarray:
    """Sample a Catmull-Rom spline through the points: (m, 2)."""
    p = np.array(points, float)
    p = np.vstack([p[-1], p, p[:2]]) if closed else np.vstack([p[0], p, p[-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        square, cube = 2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d
        pieces.append(0.5 * (2 * b + (c - a) * t + square * t**2 + cube * t**3))
    curve = np.vstack(pieces)
    return curve if closed else np.vstack([curve, p[-1]])
