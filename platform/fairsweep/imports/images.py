"""Bring in images that fairsweep did not make, with their prompts, and let classifiers label them."""

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fairsweep.errors import ImportDataError
from fairsweep.imports.source import Source
from fairsweep.imports.sweep import write_sweep
from fairsweep.store import Store

BATCH = 256
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def import_images(store: Store, source: Source, classifiers: list[str], replace: bool = False) -> str:
    """Import a folder or a Parquet file of images; each classifier (a kind, or module:Class) labels them.

    A folder has a metadata.csv or metadata.jsonl (file_name, prompt; optional model, setting, seed), or one
    subfolder per prompt. Every image is decoded once before anything is written.
    """
    from fairsweep.attributes import AttributeSpec
    from fairsweep.classifiers import get_classifier

    if not source.groups:
        raise ImportDataError(f"{source.path}: declare the groups, such as --groups gender=female,male")
    if not classifiers:
        raise ImportDataError(f"{source.path}: say who labels the images, such as --classifier open_clip")
    plan = [_described(source, row, data) for row, data in _rows(source)]
    if not plan:
        raise ImportDataError(f"{source.path}: found no images ({', '.join(SUFFIXES)})")
    attributes = {name: AttributeSpec.declare(groups) for name, groups in source.groups.items()}
    built = {}
    for kind in classifiers:
        chosen = get_classifier(kind)
        built[kind.rpartition(":")[2]] = chosen(chosen.Params(), attributes, "cpu")
    pending: list[tuple[dict, bytes]] = []
    for described, (_, data) in zip(plan, _rows(source), strict=True):
        pending.append((described, data))
        if len(pending) == BATCH:
            _write(store, pending, built)
            pending = []
    if pending:
        _write(store, pending, built)
    columns = ("image_id", "model", "setting", "prompt", "seed")
    table = pa.Table.from_pylist([{name: row[name] for name in columns} for row in plan])
    write_sweep(store, source, table.set_column(4, "seed", table["seed"].cast(pa.int64())), replace)
    return f"{len(plan):,} images, labelled by {', '.join(built)}"


def _rows(source: Source) -> Iterator[tuple[dict, bytes]]:
    if source.path.is_dir():
        yield from _folder(source)
        return
    prompt, image = (source.columns.get(name, name) for name in ("prompt", "image"))
    file = pq.ParquetFile(source.path)
    for column in (prompt, image):
        if column not in file.schema_arrow.names:
            raise ImportDataError(f"{source.path}: row 1 has no column {column!r}")
    number = 0
    for batch in file.iter_batches(BATCH):
        for row in batch.to_pylist():
            number += 1
            data = row[image]["bytes"] if isinstance(row[image], dict) else row[image]
            kept = {name: row.get(source.columns.get(name, name)) for name in ("model", "setting", "seed")}
            yield {"row": number, "prompt": row[prompt], **kept}, data


def _folder(source: Source) -> Iterator[tuple[dict, bytes]]:
    for name, reader in (("metadata.csv", "read_csv"), ("metadata.jsonl", "read_json")):
        path = source.path / name
        if path.is_file():
            table = duckdb.connect().sql(f"from {reader}(?)", params=[str(path)]).to_arrow_table()
            for column in ("file_name", "prompt"):
                if column not in table.column_names:
                    raise ImportDataError(f"{path}: row 1 has no column {column!r}")
            for number, row in enumerate(table.to_pylist(), 1):
                file = source.path / str(row["file_name"])
                if not file.is_file():
                    raise ImportDataError(f"{path}: row {number}: there is no file {row['file_name']!r}")
                yield {"row": number, **row}, file.read_bytes()
            return
    files = sorted(path for path in source.path.glob("*/*") if path.suffix.lower() in SUFFIXES)
    for number, path in enumerate(files, 1):
        yield {"row": number, "prompt": path.parent.name}, path.read_bytes()


def _described(source: Source, row: dict, data: bytes | None) -> dict:
    if not row["prompt"]:
        raise ImportDataError(f"{source.path}: row {row['row']}: the prompt is empty")
    try:
        with Image.open(io.BytesIO(data or b"")) as image:
            image.load()
            width, height = image.size
    except Exception as error:
        raise ImportDataError(f"{source.path}: row {row['row']}: not a readable image ({error})") from None
    described = {
        "prompt": str(row["prompt"]),
        "model": str(row.get("model") or source.model or source.path.stem),
        "setting": str(row.get("setting") or "none"),
        "seed": row.get("seed"),
    }
    key = json.dumps([source.name, row["row"], described], sort_keys=True, default=str).encode() + (data or b"")
    digest = hashlib.blake2b(key, digest_size=16).hexdigest()
    return {"image_id": digest, **described, "width": width, "height": height}


def _write(store: Store, rows: list[tuple[dict, bytes]], classifiers: dict) -> None:
    now = datetime.now(UTC)
    fixed = {"seconds": None, "device": "imported", "batch_size": None, "error": None, "versions": "{}"}
    store.write_images([{**row, **fixed, "image": {"bytes": data, "path": None}, "created": now} for row, data in rows])
    images = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in rows]
    prompts = [row["prompt"] for row, _ in rows]
    for name, classifier in classifiers.items():
        found = classifier.classify(images, prompts)
        labels = [
            {
                "image_id": row["image_id"],
                "attribute": label.attribute,
                "label": label.label,
                "score": label.score,
                "scores": label.scores,
                "embedding": label.embedding,
            }
            for (row, _), said in zip(rows, found, strict=True)
            for label in said
        ]
        store.write_labels(name, labels)
