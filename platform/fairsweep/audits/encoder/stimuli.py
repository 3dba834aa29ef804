"""Sets of stimuli: words, images and vectors, from a spec, from folders and files, from a store, or as published."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from fairsweep.audits.encoder.embed import Embeddings
from fairsweep.errors import FairsweepError, first_line, near
from fairsweep.measure.catalogue import connect
from fairsweep.measure.selection import check_select, confine
from fairsweep.sources.base import SUFFIXES
from fairsweep.spec.encoder import AssociationTestSpec, StimulusSpec
from fairsweep.store import Store
from fairsweep.store.pictures import as_rgb


@dataclass
class Stimuli:
    """One set, read: words, pictures, or vectors [stimuli, dimensions] that need no encoder. names: one a stimulus."""

    name: str
    names: list[str]
    words: list[str] | None = None
    pictures: list[Image.Image] | None = None
    vectors: np.ndarray | None = None

    def fits(self, encoder: Embeddings) -> bool:
        """Tell whether the encoder can embed the set."""
        return self.pictures is None or encoder.pictures is not None

    def embed(self, encoder: Embeddings | None) -> np.ndarray:
        """Return the set's vectors; those that need no encoder as they are."""
        if self.vectors is not None or encoder is None:
            assert self.vectors is not None
            return self.vectors
        if self.words is not None:
            return checked(self.name, encoder.of(self.words))
        assert encoder.pictures is not None
        return checked(self.name, encoder.pictures[self.name])


class StimulusSets:
    """The sets that a spec declares and those that ship, each read when it is first asked for."""

    def __init__(self, declared: Mapping[str, StimulusSpec], store: Store):
        self._specs = {**literature()[0], **declared}
        self._store = store
        self._read: dict[str, Stimuli] = {}

    def __getitem__(self, name: str) -> Stimuli:
        if name not in self._specs:
            raise FairsweepError(f"encoder: there is no set of stimuli {name!r}{near(name, self._specs)}")
        if name not in self._read:
            self._read[name] = _read(name, self._specs[name], self._store)
        return self._read[name]


@cache
def literature() -> tuple[dict[str, StimulusSpec], dict[str, AssociationTestSpec]]:
    """Return the sets and the tests that ship, by name."""
    content = yaml.safe_load(Path(__file__).with_name("literature.yaml").read_text(encoding="utf-8"))
    sets = {name: StimulusSpec(**item) for name, item in content["stimuli"].items()}
    return sets, {name: AssociationTestSpec(name=name, **item) for name, item in content["tests"].items()}


def _read(name: str, spec: StimulusSpec, store: Store) -> Stimuli:
    if spec.words is not None:
        return Stimuli(name, list(spec.words), words=list(spec.words))
    if spec.images is not None:
        return _folder(name, Path(spec.images).expanduser())
    if spec.embeddings is not None:
        vectors = _file(name, Path(spec.embeddings).expanduser())
        return Stimuli(name, [str(row) for row in range(1, len(vectors) + 1)], vectors=checked(name, vectors))
    return _query(name, spec.sql or "", store)


def _folder(name: str, folder: Path) -> Stimuli:
    if not folder.is_dir():
        raise FairsweepError(f"stimuli {name}: there is no folder {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FairsweepError(f"stimuli {name}: {folder} holds no images ({', '.join(SUFFIXES)})")
    return Stimuli(name, [path.name for path in paths], pictures=[_picture(path, name, path) for path in paths])


def _picture(data: Path | io.BytesIO, name: str, what: object) -> Image.Image:
    try:
        with Image.open(data) as image:
            return as_rgb(image)
    except Exception as error:
        raise FairsweepError(f"stimuli {name}: {what} is no readable image ({first_line(error)})") from None


def _file(name: str, path: Path) -> np.ndarray:
    """Return the vectors of a file: of a CSV its numbers, a first column of names and a header left out."""
    readers = {".csv": _csv, ".npy": lambda path: np.load(path, allow_pickle=False), ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise FairsweepError(f"stimuli {name}: {path}: expected a .csv, .npy or .parquet file")
    try:
        return np.asarray(readers[path.suffix.lower()](path), np.float64)
    except FileNotFoundError:
        raise FairsweepError(f"stimuli {name}: there is no file {path}") from None
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise FairsweepError(f"stimuli {name}: {path}: {first_line(error)}") from None


def _csv(path: Path) -> list[list[float]]:
    lines = [re.split("[,;\t]", line) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    rows = [line for line in lines if line is not lines[0] or any(map(_number, line))]
    named = bool(rows) and not _number(rows[0][0])
    return [[float(cell) for cell in row[named:]] for row in rows]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(path: Path) -> Any:
    table = pq.read_table(path, partitioning=None)
    for column in table.columns:
        kind = column.type
        if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
            return column.to_pylist()
    numbers = [column.to_numpy() for column in table.columns if not pa.types.is_string(column.type)]
    return np.stack(numbers, axis=1) if numbers else []


def _query(name: str, sql: str, store: Store) -> Stimuli:
    """Return the first column of a SELECT over the store: texts, encoded pictures, or embeddings."""
    with connect(store) as connection:
        confine(connection, store)
        try:
            check_select(connection, sql)
            values = [row[0] for row in connection.execute(sql).fetchall()]
        except duckdb.Error as error:
            raise FairsweepError(f"stimuli {name}: {first_line(error)}") from None
    if not values:
        raise FairsweepError(f"stimuli {name}: the query returns no rows")
    names = [str(row) for row in range(1, len(values) + 1)]
    values = [value["bytes"] if isinstance(value, dict) and "bytes" in value else value for value in values]
    if all(isinstance(value, str) for value in values):
        return Stimuli(name, values, words=values)
    if all(isinstance(value, bytes) for value in values):
        rows = zip(values, names, strict=True)
        return Stimuli(name, names, pictures=[_picture(io.BytesIO(data), name, f"row {row}") for data, row in rows])
    if all(isinstance(value, list | tuple) for value in values):
        try:
            return Stimuli(name, names, vectors=checked(name, np.asarray(values, np.float64)))
        except (ValueError, TypeError):
            raise FairsweepError(f"stimuli {name}: the query's embeddings differ in width") from None
    raise FairsweepError(f"stimuli {name}: the query's first column must hold texts, pictures or embeddings, no nulls")


def checked(name: str, vectors: np.ndarray) -> np.ndarray:
    """Refuse vectors that no cosine can be taken of."""
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise FairsweepError(f"stimuli {name}: expected rows of numbers of one width, not the shape {vectors.shape}")
    norms = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if len(bad):
        raise FairsweepError(f"stimuli {name}: row {bad[0] + 1} is all zeros or holds what is no number")
    return vectors
