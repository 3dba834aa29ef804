"""Which files of a store count: whole, of this store, and not merged into another one. Reading changes nothing."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.errors import StoreError, first_line
from fairsweep.store.names import COMPACTED, DEPTHS, FORMAT, MANIFEST, ShardName, shard_name
from fairsweep.store.places import Entry, Place
from fairsweep.store.schemas import FOLDERS, MERGED_KEY, PICTURES, VERSION_KEY

log = logging.getLogger(__name__)

# What tells a file of a kind from a foreign one.
_TELLING = 3
_TRIES = 4


@dataclass(frozen=True)
class DataFile:
    """One readable file. columns: those that it has of its kind's; an older file may lack some."""

    path: Path
    columns: tuple[str, ...]


@dataclass
class Files:
    """The readable files of a kind.

    later: those whose rows stand in a merged file of `base` too, and were written after it: theirs count.
    """

    base: list[DataFile] = field(default_factory=list)
    later: list[DataFile] = field(default_factory=list)

    @property
    def paths(self) -> list[Path]:
        """Return the paths of all of them."""
        return [file.path for file in (*self.base, *self.later)]


@dataclass
class Folder:
    """One folder's files, sorted by what becomes of them.

    base, later: see Files. merged: shards whose rows stand in a merged file. superseded: those written again since.
    unannounced: merged files whose rows all stand elsewhere. unknown: merged files of which nobody knows.
    manifest: each merged file of `base`, with the shards that it stands for.
    """

    base: list[Entry] = field(default_factory=list)
    later: list[Entry] = field(default_factory=list)
    merged: list[Entry] = field(default_factory=list)
    superseded: list[Entry] = field(default_factory=list)
    unannounced: list[Entry] = field(default_factory=list)
    unknown: list[Entry] = field(default_factory=list)
    manifest: dict[str, list[str]] = field(default_factory=dict)

    @property
    def all(self) -> list[Entry]:
        """Return every file."""
        parts = (self.base, self.later, self.merged, self.superseded, self.unannounced, self.unknown)
        return [entry for part in parts for entry in part]


def find(place: Place, kind: str) -> Files:
    """Return the readable files of a kind, in a stable order; a damaged or foreign one is a warning."""
    for _ in range(_TRIES):
        try:
            return _find(place, kind)
        except FileNotFoundError:
            # Merged by another process since it was listed, and its time is up: what stands for it is there now.
            place.relist()
    raise StoreError(f"the {kind} of {place.root} change faster than they can be read: try again")


def _find(place: Place, kind: str) -> Files:
    files = Files()
    chosen: list[tuple[Entry, tuple[str, ...], list[DataFile]]] = []
    for folder in folders(place, kind).values():
        for entries, part in ((folder.base, files.base), (folder.later, files.later)):
            for entry in entries:
                if held := columns(place, kind, entry):
                    chosen.append((entry, held, part))
    listed = [entry for entry, _, _ in chosen]
    paths = place.rows(listed, PICTURES) if kind == "images" else place.files(listed)
    for entry, held, part in chosen:
        if kind == "images" and place.folder is None:
            held = tuple(name for name in held if name != PICTURES)
        part.append(DataFile(paths[entry.key], held))
    for part in (files.base, files.later):
        part.sort(key=lambda file: file.path)
    return files


def folders(place: Place, kind: str, only: str | None = None) -> dict[str, Folder]:
    """Return every folder of a kind, or one of them, with its whole files sorted."""
    depth = DEPTHS.get(kind, 0)
    listed: dict[str, list[Entry]] = {}
    # Listing first and manifests after is what keeps a concurrent compaction invisible: see compact.py.
    for entry in place.entries(kind, depth) if only is None else place.entries(only, 0):
        if not entry.name.endswith(".parquet"):
            continue
        if entry.key.count("/") != depth + 1:
            warn(f"left out {place.name(entry.key)}: it does not lie in a folder of {kind}")
        elif columns(place, kind, entry) is not None:
            listed.setdefault(entry.folder, []).append(entry)
    return {folder: _sorted(place, folder, entries) for folder, entries in sorted(listed.items())}


def _sorted(place: Place, key: str, entries: list[Entry]) -> Folder:
    names = {entry.name: parsed(entry.name) for entry in entries}
    compacted = [entry for entry in entries if names[entry.name].compacted]
    folder = Folder()
    announced = read_manifest(place, key) if compacted else {}
    folder.manifest = {entry.name: announced[entry.name] for entry in compacted if entry.name in announced}
    hidden = {name for shards in folder.manifest.values() for name in shards}
    # Written by a compaction that was cut short, or the manifest is lost: then their own word counts.
    others = {entry.name: _stands_for(place, entry) for entry in compacted if entry.name not in announced}
    for name in sorted(others, key=lambda name: (-len(others[name]), name)):
        shards = others[name]
        if name not in hidden and hidden.isdisjoint(shards) and not all(shard in names for shard in shards):
            folder.manifest[name] = shards
            hidden.update(shards)
    older = {parsed(name).keys for name in hidden}
    for entry in compacted:
        if entry.name in hidden:
            folder.merged.append(entry)
        elif entry.name in folder.manifest:
            folder.base.append(entry)
        elif others[entry.name] and all(shard in names or parsed(shard).keys in older for shard in others[entry.name]):
            folder.unannounced.append(entry)
        else:
            folder.unknown.append(entry)
    newest: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.stamp, entry.name)):
        keys = names[entry.name].keys
        if names[entry.name].compacted:
            continue
        if entry.name in hidden:
            folder.merged.append(entry)
            continue
        if keys in newest:
            folder.superseded.append(newest[keys])
        newest[keys] = entry
    for keys, entry in newest.items():
        (folder.later if keys in older else folder.base).append(entry)
    return folder


def parsed(name: str) -> ShardName:
    """Return what a file's name tells; of a file that fairsweep did not name, its name is all."""
    return shard_name(name) or ShardName(name, name.startswith(COMPACTED))


def read_manifest(place: Place, folder: str) -> dict[str, list[str]]:
    """Return each merged file of a folder with the shards that it stands for; nothing where that cannot be read.

    A shard that is gone is known by the first part of its name alone: whose rows it held.
    """
    data = place.read_shared(f"{folder}/{MANIFEST}")
    if data is None:
        return {}
    try:
        manifest = json.loads(data)
        if all(isinstance(names, list) for names in manifest.values()):
            return manifest
        error = "it is no list of files"
    except (ValueError, AttributeError) as damage:
        error = first_line(damage)
    warn(f"{place.name(folder)}/{MANIFEST} is damaged ({error}): the merged files themselves tell what they stand for")
    return {}


def _stands_for(place: Place, entry: Entry) -> list[str]:
    return json.loads((footer(place, entry).metadata or {}).get(MERGED_KEY.encode(), b"[]"))


def columns(place: Place, kind: str, entry: Entry) -> tuple[str, ...] | None:
    """Return the columns of its kind that a whole file has; None, with a warning, for one that is no such file."""
    try:
        return check(place, kind, entry)
    except GoneError:
        return None
    except DamageError as damage:
        warn(f"left out the damaged file {place.name(entry.key)} ({damage}): `fairsweep verify` sets it aside")
    except ForeignError as foreign:
        warn(f"left out {place.name(entry.key)}: {foreign}")
    return None


def check(place: Place, kind: str, entry: Entry) -> tuple[str, ...]:
    """Return the columns of its kind that a file has; raises DamageError or ForeignError where it is none.

    A shard's name tells its size: one that has it is taken for whole. Any other file's footer is read.
    Raises StoreError for a file of a newer fairsweep, and for one that may not be read: that is no damage.
    """
    named = parsed(entry.name)
    if kind in DEPTHS and named.size == entry.size and named.version == FORMAT:
        return tuple(FOLDERS[kind].names)
    schema = footer(place, entry)
    version = int((schema.metadata or {}).get(VERSION_KEY.encode(), b"1"))
    if version > FORMAT:
        raise StoreError(
            f"{place.root} was written by a newer fairsweep (store version {version}; this one knows {FORMAT}): "
            "update fairsweep"
        )
    for expected in list(FOLDERS[kind])[:_TELLING]:
        if expected.name not in schema.names:
            raise ForeignError(f"it is no file of {kind}, it has no column {expected.name!r}")
    return tuple(name for name in FOLDERS[kind].names if name in schema.names)


class ForeignError(Exception):
    """Say why a readable file is none of the store's."""


class DamageError(Exception):
    """Say why a file's content cannot be read."""


class GoneError(DamageError):
    """Say that a file was merged or replaced since it was listed."""


_footers: dict[tuple[str, int, int, str], pa.Schema] = {}


def footer(place: Place, entry: Entry) -> pa.Schema:
    """Return a file's schema, read once for as long as the file is the same."""
    key = (place.name(entry.key), entry.size, entry.stamp, entry.version)
    if key not in _footers:
        whole = parsed(entry.name).size
        if whole is not None and whole != entry.size:
            raise DamageError(f"it has {entry.size:,} bytes of {whole:,}")
        with opened(place, entry) as file:
            _footers[key] = pq.ParquetFile(file).schema_arrow
    return _footers[key]


@contextmanager
def opened(place: Place, file: Entry | str) -> Iterator[BinaryIO]:
    """Open a file; what is wrong with its content is a DamageError, and what keeps it from being read a StoreError."""
    name = place.name(file.key if isinstance(file, Entry) else file)
    try:
        content = place.open(file)
    except FileNotFoundError:
        raise GoneError("it is gone") from None
    except OSError as error:
        raise StoreError(f"cannot read {name}: {error.strerror}") from None
    with content:
        try:
            yield content
        except FileNotFoundError:
            raise GoneError("it is gone") from None
        except pa.ArrowException as error:
            raise DamageError(first_line(error)) from None
        except OSError as error:
            # Arrow says so, without a number, of content that it cannot take apart.
            if error.errno is None:
                raise DamageError(first_line(error)) from None
            raise StoreError(f"cannot read {name}: {error.strerror}") from None


_said: set[str] = set()


def warn(line: str) -> None:
    """Say a thing once per process."""
    if line not in _said:
        _said.add(line)
        log.warning("%s", line)
