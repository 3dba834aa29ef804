"""Labels per image: one row per image and attribute, each under an id of its own."""

import hashlib

import pyarrow as pa

from fairsweep.attributes import FAILED
from fairsweep.errors import ImportDataError
from fairsweep.imports.source import MISSING, Once, Source, apart, bad_row, cell, listed, require, seed_of


def labelled_images(source: Source, table: pa.Table) -> pa.Table:
    """Return one row per image and attribute; the file has columns attribute and label, or one per attribute."""
    wide = "label" not in table.column_names
    for column in ["prompt", *(source.groups if wide else ["image"])]:
        require(source, table, column)
    if wide:
        apart(source.groups, "the columns image, attribute and label")
    if not source.groups:
        raise ImportDataError(f"{source.path}: declare the groups, such as --groups gender=female,male")
    rows, once = [], Once(source)
    seeds: dict[str, int | None] = {}
    for row in table.to_pylist():
        named, seed = cell(source, row), seed_of(source, row)
        image = row["row"] if "image" not in table.column_names else row["image"]
        if image is None:
            raise bad_row(source, row, "the column 'image' is empty")
        image_id = _id(source, named, image)
        if seeds.setdefault(image_id, seed) != seed:
            raise bad_row(source, row, f"image {image} has another seed in an earlier row")
        if wide:
            labels = {attribute: row[attribute] for attribute in source.groups}
        else:
            labels = {row.get("attribute") or next(iter(source.groups)): row["label"]}
        for attribute, label in labels.items():
            if attribute not in source.groups:
                raise bad_row(source, row, f"unknown attribute {attribute!r}: declared are {listed(source.groups)}")
            if label is not None and label not in (*source.groups[attribute], *MISSING):
                declared = listed(source.groups[attribute])
                raise bad_row(source, row, f"unknown group {label!r} of {attribute}: declared are {declared}")
            once.add(row, f"the {attribute} of image", *named.values(), image)
            if seed is not None:
                once.add(row, f"the {attribute} of seed", *named.values(), seed)
            made = None if label == FAILED else label
            rows.append({"image_id": image_id, **named, "seed": seed, "attribute": attribute, "label": made})
    return pa.Table.from_pylist(rows, schema=_IMAGES)


_IMAGES = pa.schema(
    [(name, pa.string()) for name in ("image_id", "model", "setting", "prompt")]
    + [("seed", pa.int64()), ("attribute", pa.string()), ("label", pa.string())]
)


def _id(source: Source, named: dict[str, str], image: object) -> str:
    key = "\0".join([source.name, named["model"], named["setting"], named["prompt"], str(image)])
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
