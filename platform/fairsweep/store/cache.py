"""Copies of a bucket's files on this machine: named by their version, so that none is ever out of date; bounded."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fairsweep import shipped
from fairsweep.store.places import Entry

MOST_BYTES = 20 * 2**30
# A query may still read what was asked for lately.
_IN_USE_SECONDS = 3600
_VERSION = 16


class Cache:
    """The copies of one place's files, in a folder of the user's cache."""

    def __init__(self, address: str):
        self.folder = _home() / hashlib.blake2b(address.encode(), digest_size=12).hexdigest()

    def path(self, entry: Entry) -> Path:
        """Return where the copy of a file lies, or would."""
        version = hashlib.blake2b(f"{entry.version} {entry.size}".encode(), digest_size=_VERSION // 2).hexdigest()
        return self.folder / entry.folder / f"{version}-{entry.name}"

    def key(self, path: str | os.PathLike) -> str:
        """Return the key of the file that this is a copy of."""
        inside = Path(path).relative_to(self.folder)
        return (inside.parent / inside.name[_VERSION + 1 :]).as_posix()

    def held(self, entry: Entry) -> Path | None:
        """Return a copy that is there; it is kept for a while from now on."""
        path = self.path(entry)
        with suppress(OSError):
            os.utime(path)
            return path
        return None

    def keep(self, entry: Entry, write: Callable[[Path], object]) -> Path:
        """Have `write` write the copy of a file, and return it."""
        path = self.path(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        os.close(handle)
        try:
            write(Path(name))
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
        return path

    def forget(self) -> None:
        """Remove all copies of this place."""
        shutil.rmtree(self.folder, ignore_errors=True)


def trim(most: int = MOST_BYTES) -> None:
    """Remove the copies, of all places, that were not used for longest, until the rest is small enough."""
    copies = []
    for folder, _, names in os.walk(_home()):
        for name in names:
            with suppress(OSError):
                info = os.stat(os.path.join(folder, name))
                copies.append((info.st_mtime, info.st_size, os.path.join(folder, name)))
    size = sum(each for _, each, _ in copies)
    for used, each, path in sorted(copies):
        if size <= most or used > time.time() - _IN_USE_SECONDS:
            return
        with suppress(OSError):
            os.unlink(path)
        size -= each


def _home() -> Path:
    home = shipped.cache() / "buckets"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:
        home = Path(tempfile.gettempdir(), f"fairsweep-buckets-{os.getuid()}")
        home.mkdir(mode=0o700, exist_ok=True)
    return home
