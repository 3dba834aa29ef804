"""Measure a classifier on images whose truth is known: the counts that `corrected_share` takes its errors from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from fairsweep.classifiers.base import Classifier
from fairsweep.errors import ImportDataError, first_line
from fairsweep.imports.table import read_texts
from fairsweep.store import Store

BATCH = 256


def calibrate(store: Store, name: str, classifier: Classifier, samples) -> list[dict]:
    """Label (image, prompt, truths) samples, truths an attribute -> group, and write the confusion counts.

    The caller holds the store's lock.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    pending: list[tuple] = []
    for sample in samples:
        pending.append(sample)
        if len(pending) == BATCH:
            _count(classifier, pending, counts)
            pending = []
    if pending:
        _count(classifier, pending, counts)
    rows = [
        {"classifier": name, "attribute": attribute, "truth": truth, "label": label, "n": n}
        for (attribute, truth, label), n in sorted(counts.items())
    ]
    store.write("calibration", name, rows)
    return rows


def rendered(images: int, attributes: tuple[str, ...], seed: int = 0):
    """Yield portraits drawn with known truth, the same from the same seed."""
    from fairsweep.portraits.render import render
    from fairsweep.portraits.world import sample

    for number, person in enumerate(sample(images, seed)):
        truths = {attribute: getattr(person, attribute) for attribute in attributes}
        picture = Image.fromarray(render(person, seed + number))
        yield picture, f"a photo of the face of a {person.occupation}", truths


def labelled(path: Path, groups: Mapping[str, Sequence[str]]):
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
                picture = image.convert("RGB")
        except Exception as error:
            raise ImportDataError(f"{path}: row {row['row']}: not a readable image ({first_line(error)})") from None
        yield picture, row.get("prompt") or "", {name: row[name] for name in groups}


def _count(classifier: Classifier, samples: list[tuple], counts: Counter) -> None:
    images, prompts, truths = zip(*samples, strict=True)
    for labels, truth in zip(classifier.classify(images, prompts), truths, strict=True):
        for label in labels:
            if truth.get(label.attribute) is not None:
                counts[label.attribute, truth[label.attribute], label.label] += 1
