"""The source pictures of a sweep, read once: what each shows, as far as that is known, and an id of its content."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from fairsweep import builtin
from fairsweep.errors import FairsweepError, SpecError, first_line, near
from fairsweep.measure.catalogue import connect
from fairsweep.measure.selection import check_select, confine
from fairsweep.measure.sql import listed
from fairsweep.measure.sql import rows as rows_of
from fairsweep.registry import find
from fairsweep.sources.base import SUFFIXES, SourceError, beside
from fairsweep.sources.folder import FILE, METADATA, records
from fairsweep.sources.locations import Location, for_arrow, location
from fairsweep.sources.pictures import read_pictures
from fairsweep.spec import ImagesSpec, SweepSpec
from fairsweep.store import Store
from fairsweep.store.pictures import as_png, as_rgb, read_or_refer

_BUILTIN_COUNT = 24
_AT_ONCE = 64
_UPRIGHT, _ORIENTATION = 1, 0x0112
# A run looks at the pictures before it starts and copies them then: of the encoded bytes that were decoded, what they
# show, so that each is decoded once.
_decoded: dict[bytes, str] = {}


@dataclass(frozen=True)
class SourcePicture:
    """One source picture without its pixels; groups: attribute -> the group that it is known to show."""

    image_id: str
    name: str
    groups: tuple[tuple[str, str], ...] = ()

    def seed(self, seed: int) -> int:
        """Return the seed of this picture's own noise: two pictures of one seed would share it, and not be apart."""
        digest = hashlib.blake2b(f"{self.image_id} {seed}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) >> 1


@dataclass(frozen=True)
class _Lying:
    """A picture as it lies there: its encoded bytes or why they cannot be had, and the columns beside it."""

    name: str
    picture: bytes | SourceError
    columns: dict[str, Any]


def write_sources(spec: SweepSpec, store: Store) -> tuple[SourcePicture, ...]:
    """Copy the source pictures of a sweep into the store and return what is known of them, in a stable order.

    Raises SpecError where there is none, where one is no readable picture or comes twice, and for a group that is not
    declared.
    """
    if spec.images is None:
        return ()
    known: dict[str, SourcePicture] = {}
    store.write_sources(spec.name, _rows(spec, spec.images, known))
    _decoded.clear()
    return tuple(known.values())


def check_sources(spec: SweepSpec) -> None:
    """Raise SpecError for what `write_sources` would refuse."""
    if spec.images is not None:
        for _ in _rows(spec, spec.images, {}):
            pass


def _rows(spec: SweepSpec, images: ImagesSpec, known: dict[str, SourcePicture]) -> Iterator[dict]:
    """Yield each source picture as a row of the store, and remember what is known of it."""
    for lying in islice(_lying(images, list(spec.attributes)), images.count):
        image_id, data = _content(lying)
        if image_id in known:
            raise SpecError(f"images: {lying.name} shows what {known[image_id].name} shows: leave one of them out")
        groups = _groups(lying, spec)
        known[image_id] = SourcePicture(image_id, lying.name, tuple(groups.items()))
        picture = {"bytes": data, "path": None}
        yield {"image_id": image_id, "sweep": spec.name, "name": lying.name, "groups": groups, "image": picture}
    if not known:
        raise SpecError(f"images: {images.source} holds no pictures ({', '.join(SUFFIXES)})")


def _content(lying: _Lying) -> tuple[str, bytes]:
    """Return the id of what a picture shows, the same however it is encoded, and its bytes, turned upright."""
    if isinstance(lying.picture, SourceError):
        raise SpecError(f"images: {lying.picture}")
    encoded = hashlib.blake2b(lying.picture).digest()
    if encoded in _decoded:
        return _decoded[encoded], lying.picture
    try:
        image = Image.open(io.BytesIO(lying.picture))
        turned = image.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT
        shown = as_rgb(ImageOps.exif_transpose(image) if turned else image)
    except Exception as error:
        raise SpecError(
            f"images: {lying.name} is no readable picture ({first_line(error)}): mend it, or take it away"
        ) from None
    digest = hashlib.blake2b(f"{shown.width}x{shown.height}\n".encode(), digest_size=16)
    digest.update(shown.tobytes())
    if turned:
        return digest.hexdigest(), as_png(shown)
    _decoded[encoded] = digest.hexdigest()
    return _decoded[encoded], lying.picture


def _groups(lying: _Lying, spec: SweepSpec) -> dict[str, str]:
    """Return the declared groups that a picture is known to show."""
    groups = {}
    for name, attribute in spec.attributes.items():
        value = lying.columns.get(name)
        group = "" if value is None else str(value).strip()
        if group and group not in attribute.groups:
            raise SpecError(
                f"images: {lying.name} shows {group!r}, no declared group of {name}{near(group, attribute.groups)}"
            )
        if group:
            groups[name] = group
    return groups


def _lying(images: ImagesSpec, attributes: list[str]) -> Iterator[_Lying]:
    if images.source.startswith("builtin:"):
        yield from _of_builtin(images)
        return
    try:
        place = location(images.source)
        if images.query is not None:
            yield from _of_store(images.source, images.query)
        elif not place.exists():
            raise SpecError(f"images: there is no {place}")
        elif place.suffix.lower() == ".parquet" or any(place.glob("*.parquet")):
            yield from _of_parquet(place, images.image, attributes)
        elif any(place.glob("plan/*.parquet")):
            raise SpecError(f"images: {place} is a store: give a query, such as select image_id from plan")
        else:
            yield from _of_folder(place)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SpecError(f"images: {images.source}: {first_line(error)}") from None


def _of_builtin(images: ImagesSpec) -> Iterator[_Lying]:
    if images.source not in builtin.PICTURES:
        raise SpecError(f"images: no built-in pictures {images.source!r}{near(images.source, builtin.PICTURES)}")
    drawn = find(images.source, builtin.PICTURES, "pictures")()
    for name, picture, groups in islice(drawn, images.count or _BUILTIN_COUNT):
        yield _Lying(name, as_png(picture), groups)


def _of_folder(folder: Location) -> Iterator[_Lying]:
    """Yield the pictures that the folder's metadata name, with their columns; without metadata all that lie in it."""
    metadata = next((folder / name for name in METADATA if (folder / name).is_file()), None)
    if metadata is None:
        paths = [path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES]
        for path in sorted(paths, key=str):
            yield _Lying(path.name, path.read_bytes(), {})
        return
    for record in records(metadata):
        name = str(record.get(FILE) or "")
        named = beside(folder, name)
        if named is None:
            raise SpecError(f"images: {metadata}: {name!r} names no file of the folder: it needs a column {FILE}")
        yield _Lying(name, named.read_bytes(), record)


def _of_parquet(place: Location, column: str, attributes: list[str]) -> Iterator[_Lying]:
    paths: list[Location] = [place] if place.suffix.lower() == ".parquet" else [*place.glob("*.parquet")]
    for path in sorted(paths, key=str):
        file = pq.ParquetFile(for_arrow(path))
        names = file.schema_arrow.names
        if column not in names:
            raise SpecError(f"images: {path} has no column {column!r} to name as images.image{near(column, names)}")
        number = 0
        for batch in file.iter_batches(_AT_ONCE, columns=[n for n in names if n in (column, "name", *attributes)]):
            for row in batch.to_pylist():
                number += 1
                held = row[column]
                data = held.get("bytes") or held.get("path") if isinstance(held, dict) else held
                if isinstance(data, str):
                    reference = str(path.parent / data)
                    data = read_pictures([reference])[reference]
                name = str(row.get("name") or f"{path.name} row {number}")
                yield _Lying(name, data or SourceError(f"{name} holds no picture"), row)


def _of_store(root: str, query: str) -> Iterator[_Lying]:
    store = Store(root)
    with connect(store) as connection:
        confine(connection, store)
        try:
            check_select(connection, query)
            asked = rows_of(connection.execute(query))
        except (duckdb.Error, FairsweepError) as error:
            raise SpecError(f"images: the query: {first_line(error)}") from None
        if not asked or "image_id" not in asked[0]:
            raise SpecError("images: the query returns no rows" if not asked else "images: the query has no image_id")
        # By the id: without an order of its own a query may return its rows in any.
        ordered = iter(sorted(asked, key=lambda row: str(row["image_id"])))
        while part := list(islice(ordered, _AT_ONCE)):
            ids = [str(row["image_id"]) for row in part]
            where = connection.execute(
                f"select min(filename), image_id from pictures where image_id in ({listed(ids)}) group by image_id"
            )
            files: dict[str, list[str]] = {}
            for file, image_id in where.fetchall():
                files.setdefault(file, []).append(image_id)
            held: dict[str, Any] = {}
            for file, inside in files.items():
                held |= read_or_refer(store.place, store.place.key(file), inside)
            for image_id, row in zip(ids, part, strict=True):
                data = held.get(image_id)
                if isinstance(data, str):
                    data = read_pictures([data])[data]
                yield _Lying(image_id, data or SourceError(f"the store has no picture {image_id}"), row)
