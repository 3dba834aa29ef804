"""What decides an image's pixels, as canonical text: the part of an image's id that is not its seed."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from fairsweep.builtin import resolve_source
from fairsweep.spec import ModelSpec

_SAMPLES, _SAMPLE_BYTES = 64, 4096


@lru_cache(1024)
def model_identity(model: ModelSpec) -> str:
    """Return the canonical JSON of what a model adds to its images' pixels; its name is no part of it."""
    decided = model.model_dump(mode="json", exclude={"name", "compile"})
    path = Path(resolve_source(model.source)).expanduser()
    if path.exists():
        decided["source"] = content_key(path)
    return json.dumps(decided, sort_keys=True)


def content_key(path: Path) -> str:
    """Return a hash of a file or a folder by sampling its bytes: the same wherever it lies, new when retrained."""
    digest = hashlib.blake2b(digest_size=16)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        if file.name.startswith("."):
            continue
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path) if file != path else ''} {size}\n".encode())
        with open(file, "rb") as opened:
            for offset in [*range(0, size, max(_SAMPLE_BYTES, size // _SAMPLES)), max(0, size - _SAMPLE_BYTES)]:
                opened.seek(offset)
                digest.update(opened.read(_SAMPLE_BYTES))
    return f"content:{digest.hexdigest()}"
