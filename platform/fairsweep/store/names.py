"""What the files of a store are called, and what a name tells: nobody else spells a path of a store."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from fairsweep.errors import StoreError

# Raised with every column or file that an older fairsweep would not understand; files of version 0.1 tell none.
FORMAT = 2
MANIFEST = "_compacted.json"
COMPACTED = "compacted-"
CATALOGUE = "fairsweep.duckdb"
LOCK = ".lock"
TRACKING = "mlflow.db"
ARTIFACTS = "mlartifacts"
SPECS = "specs"
CLASSIFIERS = "classifiers"
METRICS = "metrics"
SCRATCH = "scratch"
LOGS = "log"
# Kind -> how many folders of partitions lie between it and its files.
DEPTHS = {"images": 2, "labels": 1, "data": 1, "decisions": 1}
_LONGEST = 160
IMPORTED = "imported-"
_SHARD = re.compile(
    r"(?P<kind>compacted-|imported-)?(?P<keys>[0-9a-f]{24})"
    r"((-[0-9a-f]{16})?-(?P<rows>\d+)-(?P<size>\d+)\.v(?P<version>\d+))?\.parquet"
)


@dataclass(frozen=True)
class ShardName:
    """What a shard's name tells: whose rows it holds; and unless version 0.1 wrote it, its size in bytes.

    keys: the same for two files exactly if they hold the same rows, whatever is in them.
    """

    keys: str
    compacted: bool = False
    imported: bool = False
    rows: int | None = None
    size: int | None = None
    version: int = 1


def shard_name(name: str) -> ShardName | None:
    """Return what a file's name tells; None for a file that fairsweep did not name."""
    parts = _SHARD.fullmatch(name)
    if parts is None:
        return None
    numbers = {key: int(parts[key]) for key in ("rows", "size", "version") if parts[key]}
    return ShardName(parts["keys"], parts["kind"] == COMPACTED, parts["kind"] == IMPORTED, **numbers)


def of_content(name: str) -> bool:
    """Tell whether a file's name is made from what it holds, so that to write it once more changes nothing."""
    shard = shard_name(name)
    return shard is not None and shard.size is not None


def name_shard(keys: Iterable[str], data: bytes, rows: int) -> str:
    """Return the name of a shard: made from its rows' keys and from its content, so that no two writes share one."""
    content = hashlib.blake2b(data, digest_size=8).hexdigest()
    return f"{digest(sorted(set(keys)))}-{content}-{rows}-{len(data)}.v{FORMAT}.parquet"


def name_merged(shards: Iterable[str], rows: int, size: int) -> str:
    """Return the name of the file that stands for these shards."""
    return f"{COMPACTED}{digest(shards)}-{rows}-{size}.v{FORMAT}.parquet"


def digest(parts: Iterable[str]) -> str:
    """Return the hash that stands for several texts in a file's name."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def quoted(name: str) -> str:
    """Return a name as one part of a path; raises StoreError for one that no file system takes."""
    text = quote(name, safe="")
    # A leading dot would hide the file, or make it another folder.
    text = "%2E" + text[1:] if text.startswith(".") else text
    if len(text) > _LONGEST:
        raise StoreError(f"the name {name[:40] + '...'!r} is too long for a file's name: choose a shorter one")
    return text


def unquoted(stem: str) -> str:
    """Return the name that `quoted` made a part of a path from."""
    return unquote(stem)


def named(kind: str, name: str, suffix: str = ".parquet") -> str:
    """Return the key of a file that is called after a sweep, a reference or a classifier."""
    return f"{kind}/{quoted(name)}{suffix}"


def images_folder(model: str, setting: str) -> str:
    """Return where a cell's images lie."""
    return f"images/model={quoted(model)}/guidance={quoted(setting)}"


def data_folder(source: str) -> str:
    """Return where the index of a source of training data lies."""
    return f"data/source={quoted(source)}"


def labels_folder(classifier: str) -> str:
    """Return where a classifier's labels lie."""
    return f"labels/classifier={quoted(classifier)}"


def decisions_folder(sweep: str) -> str:
    """Return where the decisions of a sweep lie."""
    return f"decisions/sweep={quoted(sweep)}"
