"""Colours: reading, mixing, and those that several parts of a portrait share."""

Colour = tuple[int, int, int]


def colour(hex_value: str) -> Colour:
    """Turn "#rrggbb" into an RGB triple (0..255)."""
    red, green, blue = bytes.fromhex(hex_value[1:])
    return red, green, blue


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Blend linearly from `a` (share 0) to `b` (share 1)."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


CLOTH_WHITE, DARK = colour("#fbfbf7"), colour("#262433")
RED, GOLD, SILVER, NAVY = colour("#d8262f"), colour("#ffc935"), colour("#d5dde6"), colour("#1d2e63")
