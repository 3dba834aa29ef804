"""The contact sheet of the model card: generated portraits with what the classifier reads off them."""

import hashlib
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fairsweep.portraits.defaults import prompt
from fairsweep.portraits.reader import Reader
from fairsweep.portraits.studio import Studio
from fairsweep.portraits.world import OCCUPATIONS, PERSON, READ_ATTRIBUTES

_COLUMNS, _ROWS = 20, 10
_SIDE, _LINE = 96, 22
_JOBS = (*OCCUPATIONS, PERSON)


def draw_sheet(studio: Studio, reader: Reader, path: Path) -> None:
    """Write 200 portraits at the shipped settings, occupations in turn, each with its labels below."""
    n = _COLUMNS * _ROWS
    images = studio.draw([prompt(_JOBS[i % len(_JOBS)]) for i in range(n)], [50_000 + i for i in range(n)])
    labels = reader.labels(images)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, _ROWS * (_SIDE + _LINE)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(9)
    for i, image in enumerate(images):
        left, top = i % _COLUMNS * _SIDE, i // _COLUMNS * (_SIDE + _LINE)
        sheet.paste(image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), (left, top))
        words = [str(labels[name][i]) for name in READ_ATTRIBUTES]
        pen.text((left + 2, top + _SIDE), " ".join(words[:3]), fill="black", font=font)
        pen.text((left + 2, top + _SIDE + 10), words[3], fill="black", font=font)
    sheet.save(path, quality=85)


def checked_by_eye(folder: Path) -> dict | None:
    """Return what a person who looked at this very sheet disagreed with, from `by_eye.json`; None if nobody did."""
    path, sheet = folder / "by_eye.json", folder / "sheet.jpg"
    if not path.is_file():
        return None
    checked = json.loads(path.read_text(encoding="utf-8"))
    return checked if checked["sheet_sha256"] == hashlib.sha256(sheet.read_bytes()).hexdigest() else None
