"""Images that fairsweep did not make, with their prompts: read, checked, and written as a sweep's images are."""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fairsweep.errors import ImportDataError, first_line
from fairsweep.imports.labellers import label_spec
from fairsweep.imports.source import Once, Source, cell, seed_of
from fairsweep.imports.table import read_texts
from fairsweep.sources.base import SUFFIXES, beside
from fairsweep.spec import LabelSpec
from fairsweep.store import Store
from fairsweep.store.pictures import as_rgb

BATCH = 256


@dataclass(frozen=True)
class Pictures:
    """Images that were read once, a row each without its bytes, and who labels them."""

    rows: list[dict]
    labelling: LabelSpec


def read_images(source: Source, classifiers: Sequence[str]) -> Pictures:
    """Read and decode every image of a folder or a Parquet file once, and check all that is declared about them.

    A folder has a metadata.csv or metadata.jsonl (file_name, prompt; optional model, setting, seed), or one
    subfolder per prompt. Raises ImportDataError that names the row.
    """
    labelling = label_spec(source.groups, classifiers)
    once = Once(source)
    try:
        rows = [_described(source, row, data, once) for row, data in _rows(source)]
    except (pa.ArrowException, OSError) as error:
        raise ImportDataError(f"{source.path}: {first_line(error)}") from None
    if not rows:
        raise ImportDataError(f"{source.path}: it holds no images ({', '.join(SUFFIXES)})")
    return Pictures(rows, labelling)


def write_images(store: Store, source: Source, rows: list[dict]) -> None:
    """Write the images of the rows that `read_images` returned."""
    pending: list[tuple[dict, bytes | None]] = []
    for row, (_, data) in zip(rows, _rows(source), strict=True):
        pending.append((row, data))
        if len(pending) == BATCH:
            write_pictures(store, pending)
            pending = []
    if pending:
        write_pictures(store, pending)


def image_table(rows: list[dict]) -> pa.Table:
    """Return what of the images a plan is made of."""
    texts = ("image_id", "model", "setting", "prompt")
    return pa.Table.from_pylist(
        [{name: row[name] for name in (*texts, "seed")} for row in rows],
        pa.schema([*((name, pa.string()) for name in texts), ("seed", pa.int64())]),
    )


def _rows(source: Source) -> Iterator[tuple[dict, bytes | None]]:
    if source.path.is_dir():
        yield from _folder(source)
        return
    prompt, image = (source.columns.get(name, name) for name in ("prompt", "image"))
    file = pq.ParquetFile(source.path)
    for column in (prompt, image):
        if column not in file.schema_arrow.names:
            raise ImportDataError(f"{source.path}: row 1 has no column {column!r}")
    optional = {name: source.columns.get(name, name) for name in ("model", "setting", "seed")}
    theirs = [name for name in {prompt, image, *optional.values()} if name in file.schema_arrow.names]
    number = 0
    for batch in file.iter_batches(BATCH, columns=theirs):
        for row in batch.to_pylist():
            number += 1
            data = row[image].get("bytes") if isinstance(row[image], dict) else row[image]
            yield {"row": number, "prompt": row[prompt], **{name: row.get(optional[name]) for name in optional}}, data


def _folder(source: Source) -> Iterator[tuple[dict, bytes]]:
    for name in ("metadata.csv", "metadata.jsonl"):
        path = source.path / name
        if path.is_file():
            table, once = read_texts(path), Once(source)
            for column in ("file_name", "prompt"):
                if column not in table.column_names:
                    raise ImportDataError(f"{path}: row 1 has no column {column!r}")
            for row in table.to_pylist():
                once.add(row, "the file", row["file_name"])
                yield row, _beside(source, row)
            return
    files = sorted(path for path in source.path.glob("*/*") if path.suffix.lower() in SUFFIXES and path.is_file())
    for number, path in enumerate(files, 1):
        yield {"row": number, "prompt": path.parent.name}, path.read_bytes()


def _beside(source: Source, row: dict) -> bytes:
    """Return the bytes of the file that a row of the metadata names; it lies in the folder or below."""
    name = row["file_name"] or ""
    path = beside(source.path, name)
    if path is None:
        raise ImportDataError(f"{source.path}: row {row['row']}: {name!r} names no file of this folder")
    if not path.is_file():
        raise ImportDataError(f"{source.path}: row {row['row']}: there is no file {name!r}")
    return path.read_bytes()


def _described(source: Source, row: dict, data: bytes | None, once: Once) -> dict:
    try:
        with Image.open(io.BytesIO(data or b"")) as image:
            # As the classifiers will be shown it.
            width, height = as_rgb(image).size
    except Exception as error:
        raise ImportDataError(f"{source.path}: row {row['row']}: not a readable image ({first_line(error)})") from None
    described = {**cell(source, row), "seed": seed_of(source, row)}
    if described["seed"] is not None:
        once.add(row, "the seed of", *described.values())
    else:
        once.add(row, "the same picture of", *described.values(), hashlib.blake2b(data or b"").hexdigest()[:12])
    key = json.dumps([source.name, row["row"], described], sort_keys=True).encode() + (data or b"")
    digest = hashlib.blake2b(key, digest_size=16).hexdigest()
    return {"image_id": digest, **described, "width": width, "height": height}


def write_pictures(store: Store, rows: list[tuple[dict, bytes | None]]) -> None:
    """Write images that were made elsewhere: of each its row and its encoded picture."""
    now = datetime.now(UTC)
    fixed = {"seconds": None, "device": "imported", "batch_size": None, "error": None, "versions": "{}"}
    store.write_images([{**row, **fixed, "image": {"bytes": data, "path": None}, "created": now} for row, data in rows])
