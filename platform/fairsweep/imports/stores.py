"""Another store brought into this one: its sweeps, and of its images and labels those that are not here yet."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from fairsweep.errors import ImportDataError
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store, files, sweeps
from fairsweep.store.names import CLASSIFIERS, SPECS, named, shard_name
from fairsweep.store.pictures import read_or_refer
from fairsweep.store.places import Entry, bucket_address
from fairsweep.store.schemas import FOLDERS

_ROWS = 4096
_PICTURES = 64
# What tells two files of one name apart: who is compared with a reference, or corrected by errors, must know which.
_ONE_OF_A_NAME = ("references", "calibration")
# Named like the sweep, and without which it is none: these come last.
_SWEEP = ("targets", "settings", "plan")


def holds_store(path: str) -> bool:
    """Tell whether a path or an address is a store, rather than a file or a folder of images."""
    return ("://" in path and bucket_address(path) is not None) or Path(path, "plan").is_dir()


def bring_store(store: Store, root: str) -> str:
    """Bring all sweeps of another store into this one, and say what came; the same call again brings what is new.

    A sweep that both have must be the same: then its images and labels are joined. Everything is checked before
    anything is written. Raises ImportDataError.
    """
    other = Store(root)
    names = sweeps.newest_first(other)
    if not names:
        raise ImportDataError(f"{root}: the store holds no sweep")
    if other.root == store.root:
        raise ImportDataError(f"{root}: this is the store itself: name another")
    with store.lock():
        _check(store, other, names)
        for kind in (SPECS, CLASSIFIERS):
            _copy(store, other, other.place.entries(kind, 0))
        for kind in FOLDERS.keys() - {"images", "labels", *_SWEEP}:
            _copy(store, other, _files(other, kind))
        _copy(store, other, [entry for entry in _files(other, "labels") if _imported(entry)])
        with connect(other) as theirs:
            images = sum(_write_images(store, other, part) for part in _new_images(theirs, store))
            labels = 0
            for classifier, part in _new_labels(theirs, store):
                store.write_labels(classifier, part)
                labels += len(part)
        for kind in _SWEEP:
            _copy(store, other, _files(other, kind))
    return (
        f"{len(names)} sweeps ({', '.join(sorted(names))}), {images:,} images and {labels:,} labels that were not here"
    )


def _check(store: Store, other: Store, names: list[str]) -> None:
    """Refuse what goes by one name in both stores and is not the same."""
    for name in names:
        if store.has_sweep(name) and _identity(store, name) != _identity(other, name):
            raise ImportDataError(
                f"both stores have a sweep {name!r}, and they are not the same: rename one in its spec"
            )
    for kind in _ONE_OF_A_NAME:
        for entry in _files(other, kind):
            if store.place.has(entry.key) and not _same(store, other, entry.key):
                raise ImportDataError(
                    f"both stores have {entry.key}, and they differ: remove one, or use another store"
                )
    for entry in other.place.entries(CLASSIFIERS, 0):
        mine = store.place.read(entry.key)
        if mine is not None and mine != other.place.read(entry.key):
            raise ImportDataError(
                f"both stores have a classifier {Path(entry.name).stem!r}, whose labels were made with other settings: "
                "use another store"
            )


def _identity(store: Store, sweep: str) -> object:
    """Return what makes a sweep this one: its spec's fingerprint, or of an import its images."""
    fingerprint = store.read_spec(sweep).get("fingerprint")
    if fingerprint:
        return fingerprint
    plan = pq.read_table(store.place.path(named("plan", sweep)), columns=["image_id"])
    return frozenset(plan.column("image_id").to_pylist())


def _same(store: Store, other: Store, key: str) -> bool:
    mine, theirs = (pq.read_table(each.place.path(key)).to_pylist() for each in (store, other))
    return sorted(map(str, mine)) == sorted(map(str, theirs))


def _files(other: Store, kind: str) -> list[Entry]:
    """Return the files of a kind that count."""
    return [entry for folder in files.folders(other.place, kind).values() for entry in (*folder.base, *folder.later)]


def _imported(entry: Entry) -> bool:
    shard = shard_name(entry.name)
    return shard is not None and shard.imported


def _copy(store: Store, other: Store, entries: list[Entry]) -> None:
    """Copy files that this store has not got."""
    for entry in entries:
        if not store.place.has(entry.key):
            store.place.put(entry.key, other.place.read(entry.key) or b"")


def _known(theirs: duckdb.DuckDBPyConnection, store: Store, query: str) -> None:
    """Make what this store has already a table `mine` beside the other's views."""
    with connect(store) as connection:
        theirs.register("mine", connection.sql(query).to_arrow_table())


def _new_images(theirs: duckdb.DuckDBPyConnection, store: Store) -> Iterator[list[dict]]:
    """Yield the images that were made and are not here, a few of one file at a time, without their pictures."""
    _known(theirs, store, "select image_id from images where error is null")
    there = theirs.execute("""
        select images.*, filename from images
        join (select image_id, min(filename) as filename from pictures group by image_id) using (image_id)
        anti join mine using (image_id)
        where error is null order by filename, image_id""")
    names = [column[0] for column in there.description or ()]
    pending: list[dict] = []
    while batch := there.fetchmany(_PICTURES):
        for values in batch:
            row = dict(zip(names, values, strict=True))
            if pending and (row["filename"] != pending[0]["filename"] or len(pending) == _PICTURES):
                yield pending
                pending = []
            pending.append(row)
    if pending:
        yield pending


def _write_images(store: Store, other: Store, part: list[dict]) -> int:
    key = other.place.key(part[0]["filename"])
    pictures = read_or_refer(other.place, key, [row["image_id"] for row in part])
    for row in part:
        picture = pictures.get(row["image_id"])
        row["image"] = {"bytes": picture if isinstance(picture, bytes) else None}
        row["image"]["path"] = picture if isinstance(picture, str) else None
    store.write_images(part)
    return len(part)


def _new_labels(theirs: duckdb.DuckDBPyConnection, store: Store) -> Iterator[tuple[str, list[dict]]]:
    """Yield each classifier with labels that were made and are not here."""
    _known(theirs, store, "select image_id, attribute, classifier from label_rows where error is null")
    for (classifier,) in theirs.execute("select distinct classifier from label_rows order by all").fetchall():
        there = theirs.execute(
            """select * from label_rows anti join mine using (image_id, attribute, classifier)
            where classifier = ? and error is null order by image_id, attribute""",
            [classifier],
        )
        names = [column[0] for column in there.description or ()]
        while batch := there.fetchmany(_ROWS):
            yield classifier, [dict(zip(names, values, strict=True)) for values in batch]
