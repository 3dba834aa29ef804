"""Where a store lies: the few things that it asks of a file system, so that another kind of place can stand in.

A key is a path below the store, with slashes. Whatever is put appears whole or not at all.
"""

import os
import re
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.(parquet|json|duckdb|db)\.[^/]+\.\d+\.tmp")


@dataclass(frozen=True)
class Entry:
    """One file of a listing. stamp: rises with every write of anything, as far as clocks agree."""

    key: str
    size: int
    stamp: int

    @property
    def folder(self) -> str:
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]


class Disk:
    """A folder on a file system that every node of a run sees."""

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root).expanduser().absolute()

    def exists(self) -> bool:
        """Tell whether there is anything at all."""
        return self.root.is_dir()

    def path(self, key: str) -> Path:
        """Return a file that other libraries can open."""
        return self.root / key

    def list(self, folder: str, depth: int) -> list[Entry]:
        """Return the files at most `depth` folders deep below a folder; nothing hidden, no pipes, no devices."""
        entries: list[Entry] = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / folder) as listing:
            for entry in listing:
                key = f"{folder}/{entry.name}"
                if entry.name.startswith("."):
                    continue
                if depth and entry.is_dir():
                    entries += self.list(key, depth - 1)
                    continue
                # A file that is gone by now was merged by another process.
                with suppress(FileNotFoundError):
                    info = entry.stat()
                    if stat.S_ISREG(info.st_mode):
                        entries.append(Entry(key, info.st_size, info.st_mtime_ns))
        return entries

    def has(self, key: str) -> bool:
        """Tell whether anything lies under a key."""
        return (self.root / key).is_file()

    def read(self, key: str) -> bytes | None:
        """Return what lies under a key; None where nothing does."""
        path = self.root / key
        return path.read_bytes() if path.is_file() else None

    def put(self, key: str, data: bytes) -> None:
        """Put bytes under a key, in place of what was there."""
        with self.whole(key) as temporary:
            temporary.write_bytes(data)

    def change(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        """Put what `change` makes of what is there; only who holds the store's lock changes anything."""
        self.put(key, change(self.read(key)))

    @contextmanager
    def whole(self, key: str) -> Iterator[Path]:
        """Yield a file to write; when the block ends well it stands under the key."""
        with whole_file(self.root / key) as temporary:
            yield temporary

    @contextmanager
    def scratch(self, folder: str) -> Iterator[Path]:
        """Yield a file to write beside a folder's files, for `adopt`; it is gone at the end."""
        with scratch_file(self.root / folder / "new.parquet") as temporary:
            yield temporary

    def adopt(self, file: Path, key: str) -> None:
        """Put a written scratch file under a key."""
        adopt(file, self.root / key)

    def delete(self, key: str) -> None:
        """Remove what lies under a key."""
        (self.root / key).unlink(missing_ok=True)

    def move(self, key: str, to: str) -> None:
        """Put under another key what lies under this one."""
        os.replace(self.root / key, self.root / to)

    def discard(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def tidy(self, folder: str, depth: int) -> None:
        """Remove what killed writers of this store had not finished in a folder and those below."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / folder) as listing:
            for entry in listing:
                if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink(missing_ok=True)
                elif depth and entry.is_dir(follow_symlinks=False):
                    self.tidy(f"{folder}/{entry.name}", depth - 1)


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
