"""A store in a folder of a file system: whole files by rename, one writer by a lock on a file."""

import fcntl
import os
import re
import shutil
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fairsweep.errors import StoreError
from fairsweep.store.names import LOCK
from fairsweep.store.places import Entry, Place, busy

_TEMPORARY = re.compile(r"\..+\.(parquet|json|duckdb|db)\.[^/]+\.\d+\.tmp")


class Disk(Place):
    """A folder on a file system that every node of a run sees."""

    root: Path
    grace = 2.0

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root).expanduser().absolute()
        # While a run holds it, in its processes on other nodes too.
        self._lock: Path | None = None

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def reach(self) -> Path:
        return self.root

    def below(self, key: str) -> "Disk":
        inside = Disk(self.root / key)
        inside._lock = self._lock
        return inside

    def exists(self) -> bool:
        return self.root.is_dir()

    def path(self, key: str) -> Path:
        return self.root / key

    def files(self, entries: Iterable[Entry]) -> dict[str, Path]:
        return {entry.key: self.root / entry.key for entry in entries}

    def rows(self, entries: Iterable[Entry], without: str) -> dict[str, Path]:
        return self.files(entries)

    def key(self, path: str | os.PathLike) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def open(self, file: Entry | str) -> BinaryIO:
        return open(self.root / (file.key if isinstance(file, Entry) else file), "rb")

    def entries(self, folder: str, depth: int) -> list[Entry]:
        entries: list[Entry] = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / folder) as listing:
            for entry in listing:
                key = f"{folder}/{entry.name}"
                if entry.name.startswith("."):
                    continue
                if depth and entry.is_dir():
                    entries += self.entries(key, depth - 1)
                    continue
                # A file that is gone by now was merged by another process.
                with suppress(FileNotFoundError):
                    info = entry.stat()
                    if stat.S_ISREG(info.st_mode):
                        entries.append(Entry(key, info.st_size, info.st_mtime_ns))
        return entries

    def relist(self) -> None:
        """Nothing: every listing is a new one."""

    def has(self, key: str) -> bool:
        return (self.root / key).is_file()

    def read(self, key: str) -> bytes | None:
        path = self.root / key
        return path.read_bytes() if path.is_file() else None

    def put(self, key: str, data: bytes) -> None:
        with self.whole(key) as temporary:
            temporary.write_bytes(data)

    def read_shared(self, key: str) -> bytes | None:
        return self.read(key)

    def change(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        self.put(key, change(self.read(key)))

    @contextmanager
    def whole(self, key: str) -> Iterator[Path]:
        with whole_file(self.root / key) as temporary:
            yield temporary

    @contextmanager
    def scratch(self, folder: str) -> Iterator[Path]:
        with scratch_file(self.root / folder / "new.parquet") as temporary:
            yield temporary

    def adopt(self, file: Path, key: str) -> None:
        adopt(file, self.root / key)

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def move(self, key: str, to: str) -> None:
        os.replace(self.root / key, self.root / to)

    def discard(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def lock(self, depths: dict[str, int]) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = open(self.root / LOCK, "a+")  # noqa: SIM115 (closed below; what it raises is another case)
        except OSError as error:
            raise StoreError(f"cannot write to {self.root}: {error.strerror}") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise busy(self.root, file.read().strip()) from None
            except OSError as error:
                raise StoreError(f"cannot lock {self.root}: {error.strerror}; use another file system") from None
            for folder, depth in depths.items():
                self._tidy(folder, depth)
            # Who it is is good to know; a disk that is full is no reason not to merge what is on it.
            with suppress(OSError):
                file.truncate(0)
                os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
            self._lock = self.root / LOCK
            try:
                yield
            finally:
                self._lock = None

    def misnamed(self, depths: dict[str, int]) -> list[str]:
        return []

    def check_held(self) -> None:
        # A lock on a file lasts as long as its process; but the folder may be another one here.
        try:
            if self._lock:
                self._lock.stat()
        except FileNotFoundError:
            remedy = "mount the file system of that folder on every node"
            raise StoreError(f"the store is not at {self.root} here: {remedy}") from None
        except OSError:
            # Nothing is known of a file system that does not answer.
            return

    def log(self, name: str) -> Path:
        return self.root / name

    def _tidy(self, folder: str, depth: int) -> None:
        """Remove what killed writers of this store had not finished in a folder and those below."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / folder) as listing:
            for entry in listing:
                if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink(missing_ok=True)
                elif depth and entry.is_dir(follow_symlinks=False):
                    self._tidy(f"{folder}/{entry.name}", depth - 1)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name; when the block ends well, sync it to disk and rename it to `path`."""
    with scratch_file(path) as temporary:
        yield temporary
        adopt(temporary, path)


@contextmanager
def scratch_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which no reader sees; what lies there at the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def adopt(file: Path, path: Path) -> None:
    """Sync a file to disk and give it its name, in place of what had it."""
    with open(file, "rb") as written:
        os.fsync(written.fileno())
    os.replace(file, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
