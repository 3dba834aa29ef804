"""Measure a classifier on images whose truth is known: the counts that `corrected_share` takes its errors from."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fairsweep.errors import ImportDataError, first_line
from fairsweep.imports.images import BATCH, image_table, write_pictures
from fairsweep.imports.source import Source
from fairsweep.imports.sweep import write_sweep
from fairsweep.imports.table import read_texts
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from fairsweep.store.pictures import as_png, as_rgb

NAME = "calibration"

Truth = Mapping[str, str | None]
Sample = tuple[Image.Image, str, Truth]


@dataclass(frozen=True)
class Staged:
    """Images that wait for their labels: their plan, and each image's truth (attribute -> group) by its id."""

    plan: Path
    truths: dict[str, Truth]


def stage(work: Store, groups: Mapping[str, Sequence[str]], samples: Iterable[Sample]) -> Staged:
    """Write samples into a store of their own as a sweep whose images exist, to be labelled as every sweep is.

    groups: attribute -> its declared groups.
    """
    source = Source(Path(NAME), NAME, groups={name: tuple(names) for name, names in groups.items()})
    rows, truths = [], {}
    pending: list[tuple[dict, bytes | None]] = []
    for number, (image, prompt, truth) in enumerate(samples):
        data = as_png(image)
        image_id = _id(number, prompt, data)
        truths[image_id] = truth
        rows.append({"image_id": image_id, "model": NAME, "setting": "none", "prompt": prompt, "seed": None})
        pending.append((rows[-1] | {"width": image.width, "height": image.height}, data))
        if len(pending) == BATCH:
            write_pictures(work, pending)
            pending = []
    if pending:
        write_pictures(work, pending)
    return Staged(write_sweep(work, source, image_table(rows)), truths)


def count(store: Store, work: Store, classifier: str, truths: Mapping[str, Truth]) -> list[dict]:
    """Count labels by truth, write the counts into the store and return them; the caller holds the store's lock.

    What the classifier failed on counts for nothing: it says how many tries went wrong, not how labels err.
    """
    query = "select image_id, attribute, label from labels where classifier = ? and error is null"
    counts: Counter[tuple[str, str, str]] = Counter()
    with connect(work) as connection:
        for image_id, attribute, label in connection.execute(query, [classifier]).fetchall():
            if (truth := truths.get(image_id, {}).get(attribute)) is not None:
                counts[attribute, truth, label] += 1
    rows = [
        {"classifier": classifier, "attribute": attribute, "truth": truth, "label": label, "n": n}
        for (attribute, truth, label), n in sorted(counts.items())
    ]
    store.write("calibration", classifier, rows)
    return rows


def rendered(images: int, attributes: tuple[str, ...], seed: int = 0) -> Iterator[Sample]:
    """Yield portraits drawn with known truth, the same from the same seed."""
    from fairsweep.portraits.render import render
    from fairsweep.portraits.world import sample

    for number, person in enumerate(sample(images, seed)):
        truths = {attribute: getattr(person, attribute) for attribute in attributes}
        picture = Image.fromarray(render(person, seed + number))
        yield picture, f"a photo of the face of a {person.occupation}", truths


def labelled(path: Path, groups: Mapping[str, Sequence[str]]) -> Iterator[Sample]:
    """Yield the images of a CSV, JSON or Parquet file with the columns file, one per attribute, optional prompt.

    groups: attribute -> its declared groups; an image whose truth is empty counts for the other attributes only.
    """
    table = read_texts(path)
    for column in ("file", *groups):
        if column not in table.column_names:
            raise ImportDataError(f"{path}: row 1 has no column {column!r}")
    rows = table.to_pylist()
    for row in rows:
        if not row["file"] or not (path.parent / row["file"]).is_file():
            raise ImportDataError(f"{path}: row {row['row']}: there is no file {row['file']!r}")
        for attribute, names in groups.items():
            if row[attribute] is not None and row[attribute] not in names:
                reason = f"unknown group {row[attribute]!r} of {attribute}: declared are {', '.join(names)}"
                raise ImportDataError(f"{path}: row {row['row']}: {reason}")
    for row in rows:
        try:
            with Image.open(path.parent / row["file"]) as image:
                picture = as_rgb(image)
        except Exception as error:
            raise ImportDataError(f"{path}: row {row['row']}: not a readable image ({first_line(error)})") from None
        yield picture, row.get("prompt") or "", {name: row[name] for name in groups}


def _id(number: int, prompt: str, data: bytes) -> str:
    return hashlib.blake2b(json.dumps([number, prompt]).encode() + data, digest_size=16).hexdigest()
