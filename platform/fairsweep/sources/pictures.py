"""Read pictures of training data by their references, each file opened once."""

import io
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fairsweep.errors import StoreError, first_line
from fairsweep.sources.base import SourceError
from fairsweep.sources.locations import for_arrow, location, read_part
from fairsweep.store.pictures import as_rgb

_IN_PARQUET = re.compile(r"(?P<path>.+\.parquet)#(?P<column>[^#:]+):(?P<row>\d+)", re.DOTALL)
_IN_TAR = re.compile(r"(?P<path>.+\.tar)#(?P<offset>\d+)\+(?P<size>\d+)", re.DOTALL)


Key = TypeVar("Key", bound=Hashable)


def open_pictures(held: Mapping[Key, bytes | str | None]) -> dict[Key, Image.Image | SourceError]:
    """Return each picture opened, as RGB, or why it cannot be: of its bytes, or of the reference where it lies."""
    apart = read_pictures(item for item in held.values() if isinstance(item, str))
    pictures: dict[Key, Image.Image | SourceError] = {}
    for key, item in held.items():
        data = apart[item] if isinstance(item, str) else item
        if data is None or isinstance(data, SourceError):
            pictures[key] = data or SourceError("it has no picture")
            continue
        try:
            pictures[key] = as_rgb(Image.open(io.BytesIO(data)))
        except Exception as error:
            pictures[key] = SourceError(f"not a readable picture ({first_line(error)})")
    return pictures


def read_pictures(references: Iterable[str]) -> dict[str, bytes | SourceError]:
    """Return the encoded picture at each reference, or why it cannot be read.

    A reference is a file's path, path.tar#offset+size, or path.parquet#column:row.
    """
    pictures: dict[str, bytes | SourceError] = {}
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for reference in references:
        if place := _IN_PARQUET.fullmatch(reference):
            rows.setdefault((place["path"], unquote(place["column"])), {})[int(place["row"])] = reference
        else:
            pictures[reference] = _bytes(reference)
    for (path, column), wanted in rows.items():
        pictures |= _of_parquet(path, column, wanted)
    return pictures


def _bytes(reference: str) -> bytes | SourceError:
    place = _IN_TAR.fullmatch(reference)
    try:
        if place is None:
            return location(reference).read_bytes()
        data = read_part(location(place["path"]), int(place["offset"]), int(place["size"]))
    except (OSError, ValueError, StoreError) as error:
        return SourceError(f"{reference}: {getattr(error, 'strerror', None) or first_line(error)}")
    return data if len(data) == int(place["size"]) else SourceError(f"{reference}: the file ends before")


def _of_parquet(path: str, column: str, wanted: dict[int, str]) -> dict[str, bytes | SourceError]:
    pictures: dict[str, bytes | SourceError] = {}
    try:
        file, first = pq.ParquetFile(for_arrow(location(path))), 0
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            if inside := [row for row in wanted if first <= row < end]:
                values = file.read_row_group(group, columns=[column]).column(0)
                for row in inside:
                    value = values[row - first].as_py()
                    data = value.get("bytes") if isinstance(value, dict) else value
                    pictures[wanted[row]] = data if data is not None else SourceError(f"{wanted[row]}: it is empty")
            first = end
    except (pa.ArrowException, OSError, KeyError, IndexError, StoreError) as error:
        return pictures | {
            reference: SourceError(f"{reference}: {first_line(error)}")
            for reference in wanted.values()
            if reference not in pictures
        }
    return pictures | {
        reference: SourceError(f"{reference}: the file has no such row")
        for reference in wanted.values()
        if reference not in pictures
    }
