"""A sweep's files on disk: shards that appear whole or not at all, and the DuckDB views over them."""

import fcntl
import hashlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.errors import StoreError
from fairsweep.store.schemas import FOLDERS, IMAGES, LABELS

log = logging.getLogger(__name__)

MANIFEST = "_compacted.json"
COMPACTED = "compacted-"


class Store:
    """Read and write one store folder; cheap to build, safe to pickle."""

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root).expanduser().absolute()

    def write_images(self, rows: list[dict]) -> list[Path]:
        """Write one batch of images; each row also says its `model` and `setting`, which name the folder."""
        folders: dict[tuple[str, str], list[dict]] = {}
        for row in rows:
            folders.setdefault((row["model"], row["setting"]), []).append(row)
        return [
            self._write_shard(
                self.root / "images" / f"model={_quote(model)}" / f"guidance={_quote(setting)}", IMAGES, part
            )
            for (model, setting), part in folders.items()
        ]

    def write_labels(self, classifier: str, rows: list[dict]) -> Path:
        """Write one batch of a classifier's labels."""
        return self._write_shard(self.root / "labels" / f"classifier={_quote(classifier)}", LABELS, rows)

    def _write_shard(self, folder: Path, schema: pa.Schema, rows: list[dict]) -> Path:
        table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)
        keys = sorted({f"{row['image_id']} {row.get('attribute', '')}" for row in rows})
        name = hashlib.blake2b("\n".join(keys).encode(), digest_size=12).hexdigest()
        # Groups of about a mebibyte, so that a picture can be read without all of its neighbours.
        row_group_size = max(1, len(rows) * 2**20 // max(1, table.nbytes)) if schema is IMAGES else None
        return write_table(folder / f"{name}.parquet", table, row_group_size)

    def write(self, kind: str, name: str, rows: list[dict] | pa.Table) -> Path:
        """Write a small named file (targets, settings, references, calibration), replacing the one of that name."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=FOLDERS[kind])
        return write_table(self.root / kind / f"{_quote(name)}.parquet", table)

    def files(self) -> dict[str, list[Path]]:
        """Return the whole files of every kind."""
        return {kind: self.readable(kind) for kind in FOLDERS}

    @property
    def catalogue(self) -> Path:
        """Return the DuckDB file with the views over this store."""
        return self.root / "fairsweep.duckdb"

    def readable(self, kind: str) -> list[Path]:
        """Return the whole files of a kind, in a stable order; set the damaged ones aside with a warning."""
        base = self.root / kind
        # Listing first and manifests after is what keeps a concurrent compaction invisible: see compact.py.
        found = sorted(base.rglob("*.parquet")) if base.is_dir() else []
        current = {path for path in found if not path.name.startswith(COMPACTED)}
        for folder in {path.parent for path in found}:
            manifest = read_manifest(folder)
            current |= {folder / name for name in manifest}
            current -= {folder / name for names in manifest.values() for name in names}
        return [path for path in sorted(current) if _is_whole(path)]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store for one writing run, so that two runs never make the same image."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / ".lock", "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StoreError(f"another run is writing to {self.root} ({file.read().strip()})") from None
            except OSError as error:
                raise StoreError(f"cannot lock {self.root}: {error.strerror}; use another file system") from None
            # What a killed run had not finished writing.
            for path in self.root.rglob(".*.tmp"):
                path.unlink(missing_ok=True)
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield


def write_table(path: Path, table: pa.Table, row_group_size: int | None = None) -> Path:
    """Write a Parquet file that appears whole or not at all."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, row_group_size, compression="zstd")
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name; when the block ends well, sync it to disk and rename it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_manifest(folder: Path) -> dict[str, list[str]]:
    """Return each compacted file of a folder with the shards that it stands for."""
    try:
        return json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return {}


def _quote(name: str) -> str:
    return quote(name, safe="")


_whole: set[tuple[str, int, int]] = set()


def _is_whole(path: Path) -> bool:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    if key in _whole:
        return True
    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        log.warning("set aside the damaged file %s (%s)", path, error)
        try:
            os.replace(path, path.with_name(path.name + ".damaged"))
        except OSError:
            log.warning("could not rename %s", path)
        return False
    _whole.add(key)
    return True
