"""What every kind of training data has in common: parts to read one by one, and their rows."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from fairsweep.errors import FairsweepError, near
from fairsweep.registry import find
from fairsweep.sources.locations import Location, location, stamp

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
KINDS = {
    "webdataset": "fairsweep.sources.webdataset:WebDataset",
    "clip-retrieval": "fairsweep.sources.clip_retrieval:ClipRetrieval",
    "folder": "fairsweep.sources.folder:Folder",
    "parquet": "fairsweep.sources.parquet:ParquetFiles",
}


class SourceError(FairsweepError):
    """Report training data that cannot be read at all."""


@dataclass(frozen=True)
class Part:
    """A piece of a source that is read in one go: a file, or some rows of one. stamp: another when it was changed."""

    path: Location
    start: int = 0
    stop: int | None = None

    @property
    def name(self) -> str:
        """Return what tells this part from the source's others."""
        return str(self.path) if self.stop is None else f"{self.path}[{self.start}:{self.stop}]"

    @property
    def stamp(self) -> str:
        """Return what changes when the file does."""
        return stamp(self.path)


@dataclass
class Row:
    """One picture of the training data, or what is wrong in its place.

    reference: where the picture lies, as `read_pictures` takes it; None where it cannot be had. picture: its encoded
    bytes, where they were asked for. embedding: of its picture, where the source has it ready.
    """

    reference: str | None
    caption: str | None = None
    picture: bytes | None = field(default=None, repr=False)
    embedding: np.ndarray | None = None
    error: str | None = None


class Source(ABC):
    """Training data of one kind. Subclass and add a row to KINDS.

    caption, image, embedding: the names of its columns.
    """

    def __init__(self, base: Location, caption: str, image: str, embedding: str):
        self.base, self.caption, self.image, self.embedding = base, caption, image, embedding

    @classmethod
    @abstractmethod
    def fits(cls, root: Location) -> bool:
        """Tell whether a path holds data of this kind."""

    @abstractmethod
    def parts(self) -> list[Part]:
        """Return the parts in a stable order; raises SourceError where the columns are not there."""

    @abstractmethod
    def rows(self, part: Part, pictures: bool) -> Iterator[Row]:
        """Yield a part's rows; a damaged row, or what is damaged from some place on, is a row with its error."""

    @property
    def ready(self) -> bool:
        """Tell whether the source has embeddings of its own."""
        return False


def open_source(path: str, caption: str, image: str, embedding: str, kind: str | None = None) -> Source:
    """Return the source that lies at a path; raises SourceError."""
    root = location(path)
    if not root.exists():
        raise SourceError(f"data: there is no {root}")
    if kind is not None and kind not in KINDS:
        raise SourceError(f"data: unknown kind {kind!r}{near(kind, KINDS)}")
    for name in [kind] if kind else KINDS:
        source: type[Source] = find(name, KINDS, "kind of data")
        if source.fits(root):
            return source(root, caption, image, embedding)
    raise SourceError(
        f"data: {root} holds no training data: expected Parquet files, .tar files, img_emb/ with metadata/, or images "
        "with a metadata.csv or metadata.jsonl"
    )


def check_column(column: str, columns: list[str], path: Location) -> None:
    """Refuse a file without a column."""
    if column not in columns:
        raise SourceError(f"data: {path} has no column {column!r}{near(column, columns)}")


def beside(folder: Location, name: str) -> Location | None:
    """Return the path of a file that a folder's metadata names; None for no name, and for one that leads out of it."""
    inside = PurePosixPath(name)
    if not name or inside.is_absolute() or ".." in inside.parts or "\0" in name:
        return None
    return folder / inside
