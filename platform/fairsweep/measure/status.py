"""What each sweep's cells hold: counted in one pass over the ids, and kept on this machine until a file changes."""

import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import duckdb

from fairsweep import shipped
from fairsweep.measure import views
from fairsweep.measure.catalogue import follow
from fairsweep.measure.sql import in_memory, literal
from fairsweep.store import Store, names
from fairsweep.store.files import Files
from fairsweep.store.sweeps import newest_first

COLUMNS = ("sweep", "model", "setting", "planned", "done", "labelled", "failed", "error")
# Below this nothing is kept: a small store is counted faster than anybody notices.
_WORTH_SECONDS = 1.0
_MEMORY = "1GB"
_KINDS = ("plan", "images", "labels")


def status(store: Store) -> list[tuple]:
    """Return a row for each cell of each sweep, see COLUMNS; error: that of a failed image.

    done: images made; None of results that came without their images.
    labelled: images that the slowest of the sweep's own classifiers has labelled without a failure; of results that
    fairsweep did not make, of all who labelled any. Raises StoreError where there is no store.
    """
    store.check()
    follow(store)
    files = store.files()
    kept, state = _kept(store), _state(store, files)
    with suppress(OSError, ValueError, KeyError, TypeError):
        answer = json.loads(kept.read_text(encoding="utf-8"))
        if answer["state"] == state:
            return [tuple(row) for row in answer["rows"]]
    started = time.perf_counter()
    rows = count(files, _classifiers(store))
    if time.perf_counter() - started >= _WORTH_SECONDS:
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(f".{os.getpid()}.tmp")
            fresh.write_text(json.dumps({"state": state, "rows": rows}), encoding="utf-8")
            os.replace(fresh, kept)
    return rows


def _home() -> Path:
    return shipped.cache() / "status"


def _kept(store: Store) -> Path:
    return _home() / f"{hashlib.blake2b(str(store.root).encode(), digest_size=12).hexdigest()}.json"


def _classifiers(store: Store) -> dict[str, list[str]]:
    """Return the names of the classifiers of each sweep that has a spec in the store."""
    return {
        sweep: [each["name"] for each in store.read_spec(sweep).get("spec", {}).get("classifiers", ())]
        for sweep in newest_first(store)
    }


def _state(store: Store, files: dict[str, Files]) -> str:
    """Return what is another text whenever a row may be another: the files, each as it was last put there."""
    parts = [Path(__file__).read_text(encoding="utf-8")]
    specs = store.place.entries(names.SPECS, 0)
    parts += [f"{entry.key} {entry.size} {entry.stamp} {entry.version}" for entry in specs]
    for kind in _KINDS:
        for part in (files[kind].base, files[kind].later):
            parts.append(kind)
            for file in part:
                info = os.stat(file.path)
                # A copy from a bucket has its version in its path, and the time at which it was last used.
                changed = info.st_mtime_ns if store.place.folder else 0
                parts.append(f"{file.path} {info.st_size} {info.st_ino} {changed} {file.columns}")
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def count(files: dict[str, Files], own: Mapping[str, Collection[str]]) -> list[tuple]:
    """Return the rows of `status` from the files, whatever is kept; own: the classifiers of sweeps."""
    with in_memory(_MEMORY) as sql:
        views.create(sql, files)
        readers = [row[0] for row in sql.execute("select distinct classifier from label_rows order by all").fetchall()]
        cells = _cells(sql, readers)
        failed, unlabelled = _failed_images(sql), _failed_labels(sql)
    read: dict[str, set[str]] = defaultdict(set)
    for (sweep, *_), (_, _, *counts) in cells.items():
        # Sweeps share images, and what one's classifiers labelled is no label of another's.
        read[sweep].update(own.get(sweep) or (name for name, count in zip(readers, counts, strict=True) if count))
    rows = []
    for cell, (planned, done, *counts) in cells.items():
        there = dict(zip(readers, counts, strict=True))
        labelled = min((there.get(name, 0) - unlabelled.get((*cell, name), 0) for name in read[cell[0]]), default=0)
        elsewhere = labelled and not done and not own.get(cell[0])
        rows.append((*cell, planned, None if elsewhere else done, labelled, *failed.get(cell, (0, ""))))
    return rows


def _cells(sql: duckdb.DuckDBPyConnection, readers: list[str]) -> dict[tuple, list[int]]:
    """Return of each cell: planned, made, and by each classifier those with a label of any kind.

    The base views tell of each failure whether it counts, which takes a second look at every row; here the few failures
    are looked at apart.
    """
    any_label = "".join(f", bool_or(classifier = {literal(name)}) as read_{i}" for i, name in enumerate(readers))
    counts = "".join(f", count(*) filter (where read_{i})" for i in range(len(readers)))
    query = f"""
        with there as (
            select image_id, bool_or(classifier is null) as made{any_label}
            from (
                select image_id, null::varchar as classifier from image_rows where error is null
                union all
                select image_id, classifier from label_rows_shown
            )
            group by image_id
        )
        select sweep, model, setting, count(*), count(*) filter (where made){counts}
        from plan_rows left join there using (image_id) group by all order by all"""
    return {row[:3]: list(row[3:]) for row in sql.execute(query).fetchall()}


def _failed_images(sql: duckdb.DuckDBPyConnection) -> dict[tuple, tuple[int, str]]:
    """Return of each cell how many images failed and were not made since, and one's error."""
    sql.execute(
        """create temp table failed_images as
        select image_id, error from image_rows where error is not null
        qualify row_number() over (partition by image_id order by created desc) = 1"""
    )
    if not sql.execute("select 1 from failed_images limit 1").fetchall():
        return {}
    query = """
        with failed as (
            select * from failed_images
            where image_id not in (
                select image_id from image_rows where error is null and image_id in (select image_id from failed_images)
            )
        )
        select sweep, model, setting, count(*), min(error) from plan_rows join failed using (image_id) group by all"""
    return {row[:3]: row[3:] for row in sql.execute(query).fetchall()}


def _failed_labels(sql: duckdb.DuckDBPyConnection) -> dict[tuple, int]:
    """Return of each cell and classifier how many images have a label that failed and was not made since."""
    sql.execute(
        """create temp table failed_labels as
        select distinct image_id, classifier, attribute from label_rows_shown where error is not null"""
    )
    if not sql.execute("select 1 from failed_labels limit 1").fetchall():
        return {}
    query = """
        with made as (
            select image_id, classifier, attribute from label_rows_shown
            where error is null and image_id in (select image_id from failed_labels)
        ),
        failed as (
            select distinct image_id, classifier
            from failed_labels anti join made using (image_id, classifier, attribute)
        )
        select sweep, model, setting, classifier, count(*) from plan_rows join failed using (image_id) group by all"""
    return {row[:4]: row[4] for row in sql.execute(query).fetchall()}
