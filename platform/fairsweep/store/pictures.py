"""Encode pictures, and read them, or all but them, out of one file of images, and of the file no more than that."""

import io
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.store.files import opened
from fairsweep.store.places import Place
from fairsweep.store.ranges import Ranges
from fairsweep.store.schemas import PICTURES

if TYPE_CHECKING:
    from PIL import Image


def as_png(image: "Image.Image") -> bytes:
    """Return a picture as PNG, packed quickly rather than tightly."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def as_rgb(image: "Image.Image") -> "Image.Image":
    """Return a picture in RGB, eight bits a channel; raises ValueError where it does not say what white is.

    What Pillow itself makes of more bits is white above 255, and black below 1.
    """
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("samples of 32 bits, whose range is unknown: save it with 8 bits a channel")
    return image.convert("RGB")


def read_or_refer(place: Place, key: str, ids: Collection[str]) -> dict[str, bytes | str | None]:
    """Return the encoded pictures of these images by image_id, from the row groups that hold them.

    A path stands where the store has no copy of a picture that lies elsewhere; None where it has neither. Raises
    DamageError where a page of them is damaged.
    """
    pictures: dict[str, bytes | str | None] = {}
    ids = set(ids)
    with opened(place, key) as file:
        held = pq.ParquetFile(file, page_checksum_verification=True)
        every = range(held.num_row_groups)
        _fetch(file, held, ["image_id"], every)
        groups = [
            group
            for group in every
            if not ids.isdisjoint(held.read_row_group(group, columns=["image_id"]).column(0).to_pylist())
        ]
        _fetch(file, held, ["image_id", PICTURES], groups)
        for group in groups:
            for row in held.read_row_group(group, columns=["image_id", PICTURES]).to_pylist():
                if row["image_id"] in ids and (picture := row[PICTURES]):
                    pictures[row["image_id"]] = picture["path"] if picture["bytes"] is None else picture["bytes"]
    return pictures


def read_rows(file: BinaryIO, without: str) -> pa.Table:
    """Return the rows of an open Parquet file but for one column."""
    held = pq.ParquetFile(file)
    columns = [name for name in held.schema_arrow.names if name != without]
    _fetch(file, held, columns, range(held.num_row_groups))
    return held.read(columns)


def _fetch(file: BinaryIO, held: pq.ParquetFile, columns: list[str], groups: Iterable[int]) -> None:
    if isinstance(file, Ranges):
        cast(Ranges, file).hold(columns, groups, held)
