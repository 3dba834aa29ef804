"""What a sweep still lacks: its plan minus what is readable in the store, for images and for labels apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq

from fairsweep.measure import views
from fairsweep.measure.sql import in_memory, listed, literal
from fairsweep.store import Store
from fairsweep.store.files import DataFile, Files
from fairsweep.store.schemas import PLAN

_LABEL_TASK = 64
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Batch:
    """Images of one model to make in one call, and to label there; each row is a plan row as a dict."""

    model: str
    rows: tuple[dict, ...]
    label: bool = True

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""
        return f"model {self.model}"

    def split(self) -> list["Batch"]:
        """Return its rows one by one, to be made without their labels: what goes wrong is then the row's own."""
        return [replace(self, rows=(row,), label=False) for row in self.rows]


@dataclass(frozen=True)
class LabelTask:
    """Stored images of one file for one classifier: image_id -> (prompt, attributes that are labelled already)."""

    classifier: str
    file: str
    images: dict[str, tuple[str, frozenset[str]]]

    @property
    def key(self) -> str:
        """Return what an actor must load for it."""
        return f"classifier {self.classifier}"

    def split(self) -> list["LabelTask"]:
        """Return its images one by one."""
        return [replace(self, images={image_id: known}) for image_id, known in self.images.items()]


def stored(store: Store, ids: list[str]) -> set[str]:
    """Return which of these images are made and in the store now."""
    with duckdb.connect() as connection:
        views.create(connection, store.files())
        query = f"select image_id from images where error is null and image_id in ({listed(ids)})"
        return {image_id for (image_id,) in connection.execute(query).fetchall()}


class Todo:
    """Look once at what a sweep lacks; hand it out lazily, so that memory does not grow with the plan."""

    def __init__(self, store: Store, plan: Path):
        self._path, self._place = plan, store.place
        self._sql = in_memory("512MB")
        views.create(self._sql, store.files() | {"plan": Files([DataFile(plan, tuple(PLAN.names))])})

    def __enter__(self) -> "Todo":
        return self

    def __exit__(self, *error) -> None:
        self._sql.close()

    def cells(self) -> list[tuple]:
        """Return (model, setting, images, there, missing) of each cell, in the plan's order."""
        return self._sql.execute(
            f"""
            with done as (select image_id from images where error is null)
            select model, setting, count(*), count(done.image_id), count(*) - count(done.image_id)
            from read_parquet({literal(self._path)}, file_row_number = true) left join done using (image_id)
            group by model, setting order by min(file_row_number)
            """
        ).fetchall()

    def measured(self) -> list[tuple[str, str, int, float]]:
        """Return (model, setting, images, seconds of one) of the plan's images that are there."""
        return self._sql.execute(
            """
            select model, setting, count(*), median(seconds)
            from (select distinct image_id, model, setting from plan_rows)
            join (select image_id, seconds from images where error is null) using (image_id)
            where seconds is not null group by all
            """
        ).fetchall()

    @property
    def planned(self) -> int:
        """Return the number of distinct images in the plan."""
        return self._sql.execute("select count(distinct image_id) from plan_rows").fetchall()[0][0]

    def missing(self, but: Sequence[str] = ()) -> np.ndarray:
        """Return the row numbers in the plan of the images that are not there yet, in the plan's order.

        but: the ids of images to leave out.
        """
        numbers = self._sql.execute(
            f"""
            select min(file_row_number) as row
            from read_parquet({literal(self._path)}, file_row_number = true)
            where image_id not in (select image_id from images where error is null)
            and image_id not in (select unnest($but::varchar[]))
            group by image_id
            """,
            {"but": list(but)},
        ).fetchnumpy()["row"]
        return np.sort(np.asarray(numbers, dtype=np.int64))

    def missing_images(self) -> list[str]:
        """Return the ids of the images that are not there yet."""
        query = """
            select distinct image_id from plan_rows
            where image_id not in (select image_id from images where error is null)
        """
        return [image_id for (image_id,) in self._sql.execute(query).fetchall()]

    def count_missing_labels(self, classifier: str, wanted: tuple[str, ...]) -> int:
        """Return how many stored images of the sweep, and pictures that they start from, lack a label it could give."""
        query = f"""
            select (select count(*) from ({_unlabelled(classifier, wanted)}))
                + (select count(*) from ({_unlabelled_sources(classifier, wanted)}))
        """
        return self._sql.execute(query).fetchall()[0][0]

    def label_tasks(self, classifier: str, wanted: tuple[str, ...]) -> Iterator[LabelTask]:
        """Yield the stored images of the sweep that lack a label, file by file."""
        yield from self._source_tasks(classifier, wanted)
        query = f"""
            with labelled as (
                select image_id, list(distinct attribute) as known from label_rows
                where classifier = {literal(classifier)} and error is null group by image_id
            )
            select filename, image_id, prompt, coalesce(known, []) as known
            from image_files
            left join labelled using (image_id)
            where error is null and image_id in (select image_id from ({_unlabelled(classifier, wanted)}))
            order by filename
        """
        current = ""
        images: dict[str, tuple[str, frozenset[str]]] = {}
        # A cursor of its own: the tasks of several classifiers are read side by side.
        for batch in self._sql.cursor().sql(query).to_arrow_reader(10_000):
            for row in batch.to_pylist():
                if images and (row["filename"] != current or len(images) == _LABEL_TASK):
                    yield LabelTask(classifier, self._place.key(current), images)
                    images = {}
                current = row["filename"]
                images[row["image_id"]] = (row["prompt"], frozenset(row["known"]))
        if images:
            yield LabelTask(classifier, self._place.key(current), images)

    def _source_tasks(self, classifier: str, wanted: tuple[str, ...]) -> Iterator[LabelTask]:
        """Yield the pictures that the sweep's images start from and that lack a label, some at a time."""
        rows = self._sql.cursor().execute(_unlabelled_sources(classifier, wanted)).fetchall()
        for file, group in groupby(rows, key=lambda row: row[0]):
            pending = list(group)
            for start in range(0, len(pending), _LABEL_TASK):
                part = pending[start : start + _LABEL_TASK]
                # Nobody asked for a text of them.
                images = {image_id: ("", frozenset(known or ())) for _, image_id, known in part}
                yield LabelTask(classifier, self._place.key(file), images)


def batches(path: Path, rows: np.ndarray) -> Iterator[Batch]:
    """Yield the asked rows of a plan, sorted, in the batches that the plan puts them in."""
    gathered: list[dict] = []
    for table, _ in _row_groups(path, rows):
        for start in range(0, len(table), _ROWS_AT_ONCE):
            for row in table.slice(start, _ROWS_AT_ONCE).to_pylist(maps_as_pydicts="strict"):
                if gathered and row["batch"] != gathered[0]["batch"]:
                    yield Batch(gathered[0]["model"], tuple(gathered))
                    gathered = []
                gathered.append(row)
    if gathered:
        yield Batch(gathered[0]["model"], tuple(gathered))


def by_model(path: Path, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the asked rows of a plan, sorted, of each model."""
    parts: dict[str, list[np.ndarray]] = {}
    for table, numbers in _row_groups(path, rows, ["model"]):
        models = table["model"].combine_chunks().dictionary_encode()
        codes = models.indices.to_numpy()
        for code, model in enumerate(models.dictionary.to_pylist()):
            parts.setdefault(model, []).append(numbers[codes == code])
    return {model: np.concatenate(numbers) for model, numbers in parts.items()}


def _row_groups(path: Path, rows: np.ndarray, columns: list[str] | None = None) -> Iterator[tuple]:
    """Yield the asked rows of a plan and their numbers, one row group at a time."""
    plan = pq.ParquetFile(path)
    start = 0
    for group in range(plan.metadata.num_row_groups):
        end = start + plan.metadata.row_group(group).num_rows
        chunk = rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)]
        if len(chunk):
            yield plan.read_row_group(group, columns=columns).take(chunk - start), chunk
        start = end


def _unlabelled_sources(classifier: str, wanted: tuple[str, ...]) -> str:
    known = f"select image_id, attribute from label_rows where classifier = {literal(classifier)} and error is null"
    return f"""
        select min(filename) as file, image_id, list(distinct attribute) filter (attribute is not null) as known
        from source_files
        left join ({known}) using (image_id)
        where image_id in (select source from plan)
        group by image_id
        having not coalesce(list_has_all(known, [{listed(wanted)}]), false)
        order by file, image_id
    """


def _unlabelled(classifier: str, wanted: tuple[str, ...]) -> str:
    # To count distinct attributes would take a set for each image.
    every = " and ".join(f"bool_or(attribute = {literal(name)})" for name in wanted)
    return f"""
        select distinct image_id from plan_rows
        where image_id in (select image_id from images where error is null)
        and image_id not in (
            select image_id from label_rows
            where classifier = {literal(classifier)} and error is null
            group by image_id having {every}
        )
    """
