"""Matched pictures as a sweep whose images exist: a model is a source, a setting is a way of matching."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from fairsweep.audits.data.match import Matches
from fairsweep.measure.catalogue import connect
from fairsweep.plan import declared
from fairsweep.sources import SourceError, read_pictures
from fairsweep.spec import SweepSpec
from fairsweep.spec.data import DataSpec
from fairsweep.store import Store
from fairsweep.store.schemas import PLAN

_BATCH = 4096
DEVICE = "training data"


def data_sweep(spec: SweepSpec) -> str:
    """Return the name of the sweep that a spec's training data are."""
    return f"{spec.name}-data"


def image_id(data: DataSpec, reference: str | None, row: int) -> str:
    """Return the id of a picture of training data: of where it lies."""
    key = f"training data\0{reference}" if reference else f"training data\0{data.name}\0{row}"
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def write_sweep(spec: SweepSpec, found: list[tuple[DataSpec, Matches]], store: Store) -> Path:
    """Write the matched pictures of all sources, by reference, and the plan that they are; return the plan.

    A picture that the store has is not written again. The plan, without which nothing is measured, comes last.
    """
    prompts, sweep = spec.prompts.expand(), data_sweep(spec)
    plan: list[dict] = []
    match_rows: list[dict] = []
    matchings: list[dict] = []
    pictures: dict[str, dict] = {}
    settings: dict[tuple[str, str], None] = {}
    for data, matches in found:
        kept: dict[int, set[str]] = {}
        for each in matches.matchings:
            prompt = prompts[each.prompt]
            settings[data.name, each.match] = None
            shared = {"source": data.name, "match": each.match, "prompt": prompt.text, "prompt_name": prompt.name}
            repeats = None if each.duplicates is None else each.duplicates.tolist()
            for place, row in enumerate(each.rows.tolist()):
                reference = matches.references[row]
                key = image_id(data, reference, row)
                own = kept.setdefault(each.prompt, set())
                if len(own) < data.keep:
                    own.add(key)
                plan.append(
                    {
                        "image_id": key,
                        "sweep": sweep,
                        "model": data.name,
                        "setting": each.match,
                        "method": "none" if each.match == matches.matchings[0].match else "imported",
                        "prompt": prompt.text,
                        "prompt_name": prompt.name,
                        "variables": list(prompt.variables.items()),
                        "direction": [],
                    }
                )
                match_rows.append(
                    {
                        "sweep": spec.name,
                        **shared,
                        "image_id": key,
                        "reference": reference,
                        "similarity": None if each.similarities is None else float(each.similarities[place]),
                        "rank": place + 1 if each.ranked else None,
                        "duplicate": None if repeats is None else repeats[place],
                    }
                )
                picture = pictures.setdefault(key, {"image_id": key, "model": data.name, "setting": each.match})
                picture |= {"prompt": picture.get("prompt", prompt.text), "reference": reference}
                picture["keep"] = picture.get("keep", False) or key in own
            matchings.append(
                {
                    "sweep": spec.name,
                    **shared,
                    "data_sweep": sweep,
                    "n": len(each.rows),
                    "duplicates": None if repeats is None else sum(repeats),
                    "threshold": each.threshold.similarity if each.threshold else None,
                    "precision": each.threshold.precision if each.threshold else None,
                    "recall": each.threshold.recall if each.threshold else None,
                    "pictures": matches.pictures,
                    "damaged": matches.damaged,
                    "without_caption": matches.without_caption,
                }
            )
    _write_pictures(store, list(pictures.values()))
    store.write("targets", sweep, [row | {"sweep": sweep} for row in declared.targets(spec)])
    store.write(
        "settings",
        sweep,
        [_setting(sweep, *key, list(settings)) | {"readers": declared.readers(spec)} for key in settings],
    )
    store.write("matches", spec.name, match_rows)
    store.write("matchings", spec.name, matchings)
    return store.write("plan", sweep, pa.Table.from_pylist(plan, schema=PLAN))


def _setting(sweep: str, source: str, match: str, settings: list[tuple[str, str]]) -> dict:
    first = next(other for name, other in settings if name == source) == match
    return {
        "sweep": sweep,
        "model": source,
        "setting": match,
        "method": "none" if first else "imported",
        "attributes": [],
        "params": "{}",
        "baseline": first,
        "references": [],
    }


def _write_pictures(store: Store, pictures: list[dict]) -> None:
    """Write the rows of pictures that the store has not, and the bytes of those that are kept and are not there yet."""
    with connect(store) as connection:
        query = "select image_id from images where device = $1 and error is null"
        there = {row[0] for row in connection.execute(query, [DEVICE]).fetchall()}
    fresh = [picture for picture in pictures if picture["image_id"] not in there]
    now = datetime.now(UTC)
    for start in range(0, len(fresh), _BATCH):
        part = fresh[start : start + _BATCH]
        copies = read_pictures([picture["reference"] for picture in part if picture["keep"] and picture["reference"]])
        rows = []
        for picture in part:
            data = copies.get(picture["reference"])
            image = {"bytes": None if isinstance(data, SourceError) else data, "path": picture["reference"]}
            rows.append({**picture, "image": image, "device": DEVICE, "versions": "{}", "created": now})
        store.write_images(rows)
