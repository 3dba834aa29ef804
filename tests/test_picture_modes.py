"""Pictures of every mode are shown to classifiers as they look, or their row says why not."""

import io

import numpy as np
import pytest
from PIL import Image

from fairsweep.sources import open_pictures
from fairsweep.sources.base import SourceError

SHADES = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
GREY = Image.fromarray(SHADES)


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (GREY, "PNG"),
        (GREY.convert("RGB"), "TIFF"),
        (GREY.convert("RGBA"), "PNG"),
        (GREY.convert("P"), "PNG"),
        (GREY.convert("CMYK"), "TIFF"),
        (Image.fromarray(SHADES.astype(np.uint16) * 257), "PNG"),
        (Image.fromarray(SHADES.astype(np.uint16) * 257), "TIFF"),
        (GREY.crop((3, 3, 4, 4)), "PNG"),
    ],
)
def test_a_picture_is_shown_as_it_looks(image, kind):
    shown = open_pictures({"a": encoded(image, kind)})["a"]
    assert (shown.mode, shown.size) == ("RGB", image.size)
    expected = SHADES if image.size == (8, 8) else SHADES[3:4, 3:4]
    assert np.array_equal(np.asarray(shown), np.repeat(expected[:, :, None], 3, axis=2))


@pytest.mark.parametrize("samples", [SHADES.astype(np.int32) * 2**20, (SHADES / 255).astype(np.float32)])
def test_a_picture_that_does_not_say_what_white_is_is_not_guessed_at(samples):
    shown = open_pictures({"a": encoded(Image.fromarray(samples), "TIFF")})["a"]
    assert isinstance(shown, SourceError) and "save it with 8 bits a channel" in str(shown)
