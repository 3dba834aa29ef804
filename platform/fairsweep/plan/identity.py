"""What decides an image's pixels, as canonical text, and the id that is made from it.

An id never changes. Version 0.1 put every field of a model, a Conditioning, an Edit and a Concept into it, those at
their defaults too; these stay in it for ever (`FOUNDING`). A field that came later is left out while it is at its
default, and its default means what was before: so adding a field changes no id. A field that does not decide the
pixels is never in it (`ASIDE`).
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fairsweep.builtin import resolve_source
from fairsweep.guidance.concepts import Concept, Conditioning, Edit
from fairsweep.spec import ModelSpec

FOUNDING = {
    ModelSpec: [
        "source",
        "revision",
        "config",
        "pipeline",
        "scheduler",
        "steps",
        "guidance_scale",
        "width",
        "height",
        "dtype",
    ],
    Conditioning: ["prompt", "negative_prompt", "edit"],
    Edit: ["concepts", "momentum_scale", "momentum_beta"],
    Concept: ["text", "reverse", "scale", "threshold", "warmup_steps", "cooldown_steps", "weight"],
}
ASIDE = {ModelSpec: ["name", "compile", "offload"]}

_SAMPLES, _SAMPLE_BYTES = 64, 4096


def begin(model: ModelSpec, conditioning: Conditioning):
    """Return the hash of all that decides an image but its seed; `finish` makes the ids of many seeds from it."""
    text = f'{{"conditioning": {json.dumps(canonical(conditioning), sort_keys=True)}, "model": {model_identity(model)}'
    return hashlib.blake2b(f'{text}, "seed": '.encode(), digest_size=16)


def finish(begun, seed: int) -> str:
    """Return the id of the image of this seed."""
    whole = begun.copy()
    whole.update(b"%d}" % seed)
    return whole.hexdigest()


@lru_cache(1024)
def model_identity(model: ModelSpec) -> str:
    """Return the canonical JSON of what a model adds to its images' pixels; its name is no part of it."""
    decided = canonical(model)
    path = Path(resolve_source(model.source)).expanduser()
    if path.exists():
        decided["source"] = content_key(path)
    return json.dumps(decided, sort_keys=True)


def canonical(value: Any) -> Any:
    """Return a value as JSON takes it; of models and dataclasses the fields that an id holds."""
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        founding, aside = _rule(FOUNDING, value), _rule(ASIDE, value)
        return {
            name: canonical(held)
            for name, held, default in _fields(value)
            if name in founding or (name not in aside and held != default)
        }
    if isinstance(value, dict):
        return {name: canonical(held) for name, held in value.items()}
    return [canonical(held) for held in value] if isinstance(value, list | tuple) else value


def _rule(rules: Mapping[Any, list[str]], value: Any) -> list[str]:
    return next((rules[kind] for kind in type(value).__mro__ if kind in rules), [])


def _fields(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field's name, what it holds, and its default; a field without one is never at it."""
    if isinstance(value, BaseModel):
        for name, declared in type(value).model_fields.items():
            default = dataclasses.MISSING if declared.is_required() else declared.get_default(call_default_factory=True)
            yield name, getattr(value, name), default
        return
    for field in dataclasses.fields(value):
        made = field.default_factory
        yield field.name, getattr(value, field.name), field.default if made is dataclasses.MISSING else made()


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
