"""A store in a bucket: whole files by one request each, one writer by a lease, and copies here of what is queried."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow.parquet as pq

from fairsweep.errors import StoreError
from fairsweep.store import cache, index, lease
from fairsweep.store.files import warn
from fairsweep.store.names import DEPTHS, MANIFEST, of_content, shard_name
from fairsweep.store.objects import ConflictError, Objects
from fairsweep.store.places import Entry, Place
from fairsweep.store.ranges import Ranges

_AT_ONCE = 16
_TRIES = 20
_WRITER = b"writer "


class Bucket(Place):
    """The objects below an address such as s3://bucket/prefix. objects: those to use, where they are open already."""

    root: str
    folder = None
    grace = 600.0

    def __init__(self, root: str, objects: Objects | None = None):
        self.root, self._opened = root, objects
        self._lease: lease.Lease | None = None
        # In a process that works for the holder of a lease.
        self._grant: lease.Grant | None = None
        self._index: tuple[int, list[Entry]] | None = None
        # The number of an index that names what is not there.
        self._mistaken: int | None = None

    def __getstate__(self) -> dict:
        return {"root": self.root, "grant": self._lease.grant if self._lease else self._grant}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["root"])  # type: ignore[misc]
        self._grant = state["grant"]

    @property
    def _objects(self) -> Objects:
        # At the first use, so that a store is cheap to build and goes from process to process.
        if self._opened is None:
            self._opened = Objects(self.root)
        return self._opened

    @property
    def _cache(self) -> cache.Cache:
        return cache.Cache(f"{self.root} {os.environ.get('AWS_ENDPOINT_URL', '')}")

    @property
    def reach(self) -> Path:
        return self._cache.folder

    def below(self, key: str) -> "Bucket":
        inside = Bucket(f"{self.root}/{key}")
        # Who may write here may write there.
        inside._lease, inside._grant = self._lease, self._grant
        return inside

    def exists(self) -> bool:
        return self._objects.any()

    def entries(self, folder: str, depth: int) -> list[Entry]:
        entries = self._indexed() if self._lease is None else None
        if entries is None:
            entries = self._objects.entries(folder)
        slashes = folder.count("/") + 1
        return [
            entry
            for entry in entries
            if entry.key.startswith(f"{folder}/")
            and entry.key.count("/") - slashes <= depth
            and not any(part.startswith(".") for part in entry.key.split("/"))
        ]

    def _indexed(self) -> list[Entry] | None:
        """Return everything that the index names, where it counts."""
        number = index.last_number(self._objects)
        if number is None or number == self._mistaken:
            return None
        if self._index is None or self._index[0] != number:
            self._index = index.read(self._objects)
        return self._index[1] if self._index and self._index[0] == number else None

    def relist(self) -> None:
        if self._lease is None and self._indexed() is not None:
            self._mistaken = self._index and self._index[0]
            again = "it is listed anew, and the next run or `fairsweep verify` writes the index again"
            warn(f"the index of {self.root} names files that are not there: {again}")

    def has(self, key: str) -> bool:
        return self._objects.head(key) is not None

    def read(self, key: str) -> bytes | None:
        there = self._objects.get(key)
        return there and there[0]

    def open(self, file: Entry | str) -> BinaryIO:
        key = file.key if isinstance(file, Entry) else file
        shard = shard_name(key.rpartition("/")[2])
        if shard is None or shard.size is None:
            # No name tells its size: a small file, which is read whole.
            return open(self.files([file])[key] if isinstance(file, Entry) else self.path(key), "rb")
        return cast(BinaryIO, Ranges(partial(self._objects.ranges, key), shard.size))

    def path(self, key: str) -> Path:
        entry = self._objects.head(key)
        if entry is None:
            raise FileNotFoundError(key)
        return self.files([entry])[key]

    def files(self, entries: Iterable[Entry]) -> dict[str, Path]:
        return self._copies(entries, lambda entry, path: self._objects.fetch(entry, path))

    def rows(self, entries: Iterable[Entry], without: str) -> dict[str, Path]:
        from fairsweep.store.pictures import read_rows

        def write(entry: Entry, path: Path) -> None:
            ranges = Ranges(partial(self._objects.ranges, entry.key), entry.size)
            pq.write_table(read_rows(cast(BinaryIO, ranges), without), path, compression="zstd")

        return self._copies(entries, write)

    def _copies(self, entries: Iterable[Entry], write: Callable[[Entry, Path], object]) -> dict[str, Path]:
        copies, missing = {}, []
        for entry in entries:
            if path := self._cache.held(entry):
                copies[entry.key] = path
            else:
                missing.append(entry)
        if missing:
            store = self._cache
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                paths = pool.map(lambda entry: store.keep(entry, lambda path: write(entry, path)), missing)
                copies |= {entry.key: path for entry, path in zip(missing, paths, strict=True)}
            cache.trim()
        return copies

    def key(self, path: str | os.PathLike) -> str:
        return self._cache.key(path)

    def put(self, key: str, data: bytes) -> None:
        self._put(key, data)

    def _put(self, key: str, data: bytes | Path) -> None:
        """Put bytes, or a file's, under a key, unless another writer has taken over from this one.

        A request that was under way when that happened may still arrive. Under a name made from its content it changes
        nothing that is there. Under any other name it is refused where the new writer has put something since: the
        lease was this writer's after the version was read.
        """
        self.check_held()
        if self._lease is None or of_content(key.rpartition("/")[2]):
            self._objects.put(key, data)
            return
        content = data.read_bytes() if isinstance(data, Path) else data
        for _ in range(_TRIES):
            there = self._objects.head(key)
            self._lease.confirm()
            with suppress(ConflictError):
                self._objects.put_if(key, content, there.version if there else None)
                return
        raise StoreError(f"cannot change {self.name(key)}: others change it all the time")

    def read_shared(self, key: str) -> bytes | None:
        there = self._objects.get(key)
        return there and _without_writer(there[0])[1]

    def change(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        if self._lease is None:
            raise StoreError(f"{self.root} is changed by who holds its lease alone")
        for _ in range(_TRIES):
            self.check_held()
            there = self._objects.get(key)
            writer, content = _without_writer(there[0]) if there else (0, None)
            if writer > self._lease.number:
                raise StoreError(f"no longer the writer of {self.root}: another run took over; run this one again")
            changed = _WRITER + f"{self._lease.number}\n".encode() + change(content)
            with suppress(ConflictError):
                self._objects.put_if(key, changed, there and there[1])
                return
        raise StoreError(f"cannot change {self.name(key)}: others change it all the time")

    @contextmanager
    def whole(self, key: str) -> Iterator[Path]:
        with self.scratch("") as file:
            yield file
            self.adopt(file, key)

    @contextmanager
    def scratch(self, folder: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="fairsweep-") as temporary:
            yield Path(temporary, "new")

    def adopt(self, file: Path, key: str) -> None:
        self._put(key, file)

    def delete(self, key: str) -> None:
        self._objects.delete([key])

    def move(self, key: str, to: str) -> None:
        self._objects.copy(key, to)
        self._objects.delete([key])

    def discard(self) -> None:
        self._objects.delete([entry.key for entry in self._objects.entries("")])
        self._cache.forget()

    @contextmanager
    def lock(self, depths: dict[str, int]) -> Iterator[None]:
        lease.probe(self._objects)
        self._lease = lease.Lease(self._objects, lease.SECONDS)
        try:
            if not self._lease.clean:
                self._seal()
            yield
        finally:
            with suppress(StoreError):
                self.check_held()
                index.write(self._objects, self._listed(depths), self._lease.number)
            self._lease.release()
            self._lease = None

    def _listed(self, depths: dict[str, int]) -> list[Entry]:
        return [entry for folder, depth in depths.items() for entry in self.entries(folder, depth)]

    def _seal(self) -> None:
        """Put this writer's number on the manifest of every folder, so that an earlier one can change none any more."""
        folders = {entry.folder for kind, depth in DEPTHS.items() for entry in self.entries(kind, depth)}
        for folder in sorted(folders):
            self.change(f"{folder}/{MANIFEST}", lambda content: content or b"{}")

    def misnamed(self, depths: dict[str, int]) -> list[str]:
        if self._lease is None:
            return []
        said, there = index.read(self._objects), {entry.key for entry in self._listed(depths)}
        if said is None or not self._lease.clean or said[0] != self._lease.number - 1:
            return []
        return sorted(there ^ {entry.key for entry in said[1]})

    def check_held(self) -> None:
        if self._lease is not None:
            self._lease.check()
        elif self._grant is not None:
            self._grant.check()

    def log(self, name: str) -> Path:
        return self._cache.folder / name


def _without_writer(data: bytes) -> tuple[int, bytes]:
    """Return the number of who wrote a shared file, from its first line, and the rest."""
    first, _, rest = data.partition(b"\n")
    number = first.removeprefix(_WRITER)
    return (int(number), rest) if first.startswith(_WRITER) and number.isdigit() else (0, data)
