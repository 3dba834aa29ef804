"""Where a store lies: the few things that it asks of a disk or of a bucket, and nothing else knows which it is.

A key is a path below the store, with slashes. Whatever is put appears whole or not at all.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fairsweep.errors import StoreError

BUCKETS = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
_ADDRESS = re.compile(r"(?P<kind>[a-z0-9+.-]+)://(?P<rest>.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One file of a listing.

    stamp: rises with every write of anything, as far as clocks agree. version: another one for every other content,
    where the place tells one.
    """

    key: str
    size: int
    stamp: int
    version: str = ""

    @property
    def folder(self) -> str:
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]


def busy(where: object, who: str) -> StoreError:
    """Return the error of a writer who finds another one at work."""
    return StoreError(f"another run is writing to {where} ({who}): wait for its end, or end it")


class Place(ABC):
    """A place for files. root: what names it, to people and to other processes; cheap to build, safe to pickle.

    grace: seconds for which a file that no longer counts is still there, for readers that have listed it.
    """

    root: Path | str
    grace: float

    @property
    @abstractmethod
    def folder(self) -> Path | None:
        """Return the folder that holds everything; None where other programs cannot open the files in place."""

    @property
    @abstractmethod
    def reach(self) -> Path:
        """Return the folder below which all files lie that `files` and `rows` return."""

    @abstractmethod
    def below(self, key: str) -> "Place":
        """Return a place of its own inside this one."""

    def name(self, key: str) -> str:
        """Return what names a file to people."""
        return f"{self.root}/{key}"

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether there is anything at all."""

    @abstractmethod
    def entries(self, folder: str, depth: int) -> list[Entry]:
        """Return the files at most `depth` folders deep below a folder; nothing hidden, no pipes, no devices."""

    @abstractmethod
    def relist(self) -> None:
        """Take in that a file is gone that a listing named."""

    @abstractmethod
    def has(self, key: str) -> bool:
        """Tell whether anything lies under a key."""

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Return what lies under a key; None where nothing does."""

    @abstractmethod
    def open(self, file: Entry | str) -> BinaryIO:
        """Open a file, of a listing or under a key, to read parts of it; raises FileNotFoundError."""

    @abstractmethod
    def path(self, key: str) -> Path:
        """Return a file with what lies under a key, for libraries that open files."""

    @abstractmethod
    def files(self, entries: Iterable[Entry]) -> dict[str, Path]:
        """Return for each key a file with what lies there; raises FileNotFoundError where it is gone."""

    @abstractmethod
    def rows(self, entries: Iterable[Entry], without: str) -> dict[str, Path]:
        """Return for each key a Parquet file with its rows; it may lack the column `without`."""

    @abstractmethod
    def key(self, path: str | os.PathLike) -> str:
        """Return the key of a file that `files` or `rows` returned."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Put bytes under a key, in place of what was there."""

    @abstractmethod
    def read_shared(self, key: str) -> bytes | None:
        """Return what `change` put under a key; None where there is nothing."""

    @abstractmethod
    def change(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        """Put what `change` makes of what is there; only who holds the lock may, and still holds it."""

    @abstractmethod
    def whole(self, key: str) -> AbstractContextManager[Path]:
        """Yield a file to write; when the block ends well it stands under the key."""

    @abstractmethod
    def scratch(self, folder: str) -> AbstractContextManager[Path]:
        """Yield a file to write, for `adopt` into a folder; it is gone at the end."""

    @abstractmethod
    def adopt(self, file: Path, key: str) -> None:
        """Put a written scratch file under a key."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove what lies under a key."""

    @abstractmethod
    def move(self, key: str, to: str) -> None:
        """Put under another key what lies under this one."""

    @abstractmethod
    def discard(self) -> None:
        """Remove everything."""

    @abstractmethod
    def lock(self, depths: dict[str, int]) -> AbstractContextManager[None]:
        """Be the only writer inside the block, and clean up after earlier ones; raises StoreError with who is it else.

        depths: each folder of files, and how many folders lie between it and them.
        """

    @abstractmethod
    def misnamed(self, depths: dict[str, int]) -> list[str]:
        """Return the keys in which what is written down about the place and a listing of it differ."""

    @abstractmethod
    def check_held(self) -> None:
        """Raise StoreError where this process cannot write for the holder of the lock: another one has it by now.

        Or where what lies here is another place than the holder writes to.
        """

    @abstractmethod
    def log(self, name: str) -> Path:
        """Return a file on a disk for what a process has to tell."""


def bucket_address(root: str | os.PathLike) -> str | None:
    """Return the address of a bucket that a store's root is; None for a folder. Raises StoreError for all else."""
    match = _ADDRESS.fullmatch(str(root))
    if match is None or match["kind"].lower() == "file":
        return None
    kind, rest = match["kind"].lower(), match["rest"]
    user, _, host = rest.partition("/")[0].rpartition("@")
    if kind not in BUCKETS:
        raise StoreError(f"--store {kind}://...: there are s3://, gs:// and abfs://, and folders")
    if ":" in user or "?" in rest or "#" in rest:
        raise StoreError(f"--store {kind}://...: give a bucket and a prefix; rights come from the environment")
    if not host:
        raise StoreError(f"--store {root}: it names no bucket")
    return f"{kind}://{rest.rstrip('/')}"


def place_at(root: str | os.PathLike) -> Place:
    """Return the place that a store's root names: s3://bucket/prefix, gs://..., abfs://..., else a folder."""
    if address := bucket_address(root):
        from fairsweep.store.bucket import Bucket

        return Bucket(address)
    from fairsweep.store.disk import Disk

    return Disk(str(root).removeprefix("file://"))
