"""Where training data lie: on a disk, or in a bucket, whose addresses do what paths do."""

import io
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from fairsweep.errors import StoreError
from fairsweep.store.objects import Objects, shared
from fairsweep.store.places import Entry, bucket_address
from fairsweep.store.ranges import Ranges

_BUFFER = 2**22


@dataclass(frozen=True)
class Address:
    """A file or a folder of a bucket, s3://bucket/key: as much of a path as reading training data takes."""

    bucket: str
    inside: PurePosixPath
    # What a listing told of it, so that it need not be asked for again; of a folder, what lies below.
    entry: Entry | None = field(default=None, compare=False, repr=False)
    _below: list[Entry] = field(default_factory=list, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.bucket}/{self.inside}" if self.inside.parts else self.bucket

    def __truediv__(self, name: str | PurePosixPath) -> "Address":
        return Address(self.bucket, self.inside / name)

    def __lt__(self, other: "Address") -> bool:
        return str(self) < str(other)

    @property
    def parent(self) -> "Address":
        return Address(self.bucket, self.inside.parent)

    @property
    def name(self) -> str:
        return self.inside.name

    @property
    def stem(self) -> str:
        return self.inside.stem

    @property
    def suffix(self) -> str:
        return self.inside.suffix

    def told(self) -> Entry:
        """Return the size and the version of a file; raises FileNotFoundError."""
        entry = self.entry or self._objects.head(str(self.inside))
        if entry is None:
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return entry

    def is_file(self) -> bool:
        """Tell whether a file lies here."""
        return bool(self.inside.parts) and (self.entry or self._objects.head(str(self.inside))) is not None

    def exists(self) -> bool:
        """Tell whether anything lies here or below."""
        return self.is_file() or bool(self._listed())

    def glob(self, pattern: str) -> "list[Address]":
        """Return the files below whose path matches, folder by folder."""
        folder, depth = self.inside, pattern.count("/")
        files = {PurePosixPath(entry.key).relative_to(folder): entry for entry in self._listed()}
        return [
            Address(self.bucket, folder / path, entry)
            for path, entry in files.items()
            if len(path.parts) == depth + 1 and fnmatchcase(str(path), pattern)
        ]

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open a file, of which what is asked for is fetched."""
        fetch = partial(self._objects.ranges, str(self.inside))
        return cast(BinaryIO, io.BufferedReader(Ranges(fetch, self.told().size), _BUFFER))

    def read_bytes(self) -> bytes:
        """Return all that a file holds."""
        content = self._objects.get(str(self.inside))
        if content is None:
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return content[0]

    def read_part(self, offset: int, size: int) -> bytes:
        """Return some bytes of a file."""
        return self._objects.ranges(str(self.inside), [offset], [size])[0]

    def _listed(self) -> list[Entry]:
        if not self._below:
            self._below.extend(self._objects.entries(str(self.inside) if self.inside.parts else ""))
        return self._below

    @property
    def _objects(self) -> Objects:
        return shared(self.bucket)


Location = Path | Address


def location(text: str) -> Location:
    """Return what a path or an address names; raises StoreError for an address that is none of a bucket's."""
    try:
        address = bucket_address(text)
    except StoreError:
        kind = text.partition("://")[0]
        raise StoreError(
            f"data: {kind}://...: a bucket is named s3://, gs:// or abfs://, with a prefix, and rights come from the "
            "environment"
        ) from None
    if address is None:
        return Path(text.removeprefix("file://")).expanduser().absolute()
    kind, _, rest = address.partition("://")
    bucket, _, inside = rest.partition("/")
    return Address(f"{kind}://{bucket}", PurePosixPath(inside))


def stamp(place: Location) -> str:
    """Return what changes when a file does."""
    if isinstance(place, Address):
        entry = place.told()
        return f"{entry.size}-{entry.version.strip() or entry.stamp}"
    status = place.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def read_part(place: Location, offset: int, size: int) -> bytes:
    """Return some bytes of a file."""
    if isinstance(place, Address):
        return place.read_part(offset, size)
    with open(place, "rb") as file:
        file.seek(offset)
        return file.read(size)


def for_arrow(place: Location) -> Path | BinaryIO:
    """Return what pyarrow opens best: a path, or the file at an address."""
    return place if isinstance(place, Path) else place.open()
