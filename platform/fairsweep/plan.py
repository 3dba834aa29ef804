"""Turn a spec into its plan: one row per image, each under an id made from all that decides the image's pixels."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.guidance import Conditioning, get_method
from fairsweep.quota import deal
from fairsweep.schemas import PLAN
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec
from fairsweep.store import Store, whole_file

ROW_GROUP = 32_768
_SAMPLES, _SAMPLE_BYTES = 64, 4096


def write_plan(spec: SweepSpec, store: Store) -> Path:
    """Write the plan, the resolved spec, the targets and the settings of a sweep, replacing earlier ones.

    Rows stand model by model, and within a model by blocks of as many seeds as a batch holds, so that every
    prompt and setting is reached early and a batch is one prompt under one setting where the seeds allow it.
    Memory does not grow with the number of images beyond the directions of each prompt.
    """
    path = store.root / "plan" / f"{spec.name}.parquet"
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, PLAN, compression="zstd") as writer:
        runs, rows = [], 0
        for run in _runs(spec):
            runs.append(run)
            rows += len(run.ids)
            if rows >= ROW_GROUP:
                writer.write_table(_table(runs))
                runs, rows = [], 0
        if runs:
            writer.write_table(_table(runs))
    store.write("targets", spec.name, _targets(spec))
    store.write("settings", spec.name, _settings(spec))
    with whole_file(store.root / "specs" / f"{spec.name}.json") as temporary:
        resolved = {"spec": spec.model_dump(mode="json"), "fingerprint": spec.fingerprint}
        temporary.write_text(json.dumps(resolved, indent=1), encoding="utf-8")
    return path


@dataclass
class _Run:
    """Rows of one model, setting and prompt: what they share, and what differs."""

    shared: dict[str, Any]
    ids: list[str]
    directions: list[tuple]
    seeds: tuple[int, ...]


def _runs(spec: SweepSpec) -> Iterator[_Run]:
    prompts = spec.prompts.expand()
    targets = {name: attribute.target for name, attribute in spec.attributes.items()}
    keys = [f"{spec.direction_seed}\n{prompt.text}" for prompt in prompts]
    directions = [_interned(islice(deal(targets, key), len(spec.seeds))) for key in keys]
    steering = [_Steering(spec, setting) for setting in spec.guidance]
    for model in spec.models:
        identity = model_identity(model)
        for start in range(0, len(spec.seeds), spec.run.batch_size):
            block = slice(start, start + spec.run.batch_size)
            for number, prompt in enumerate(prompts):
                for steer in steering:
                    dealt = [steer.restrict(direction) for direction in directions[number][block]]
                    ids = []
                    for direction, seed in zip(dealt, spec.seeds[block], strict=True):
                        key = steer.key(identity, prompt.text, direction).copy()
                        key.update(b"%d}" % seed)
                        ids.append(key.hexdigest())
                    shared = {
                        "sweep": spec.name,
                        "model": model.name,
                        "setting": steer.setting.name,
                        "method": steer.setting.method,
                        "prompt": prompt.text,
                        "prompt_name": prompt.name,
                        "variables": list(prompt.variables.items()),
                        "batch_key": model.name,
                        "scale": steer.scale,
                    }
                    yield _Run(shared, ids, dealt, spec.seeds[block])


def _table(runs: list[_Run]) -> pa.Table:
    repeat = np.repeat(np.arange(len(runs)), [len(run.ids) for run in runs])
    known: dict[tuple, int] = {}
    dealt = [known.setdefault(direction, len(known)) for run in runs for direction in run.directions]
    columns = {
        "image_id": pa.array([image_id for run in runs for image_id in run.ids]),
        "seed": pa.array([seed for run in runs for seed in run.seeds]),
        "direction": pa.array([list(direction) for direction in known], PLAN.field("direction").type).take(dealt),
    }
    for name in runs[0].shared:
        columns[name] = pa.array([run.shared[name] for run in runs], PLAN.field(name).type).take(repeat)
    return pa.Table.from_pydict({name: columns[name] for name in PLAN.names}, schema=PLAN)


def _interned(directions: Iterator[dict[str, str]]) -> list[tuple]:
    """Hold each distinct direction once."""
    seen: dict[tuple, tuple] = {}
    return [seen.setdefault(items, items) for items in (tuple(direction.items()) for direction in directions)]


class _Steering:
    """One setting: what it makes of a prompt and a direction."""

    def __init__(self, spec: SweepSpec, setting: GuidanceSpec):
        self.setting = setting
        self.scale = edit_scale(setting)
        uses_direction = get_method(setting.method).uses_direction
        attributes = setting.attributes if uses_direction else ()
        self.restrict = lru_cache(4096)(lambda items: tuple(item for item in items if item[0] in attributes))
        condition = conditioner(spec, setting)

        @lru_cache(65_536)
        def key(identity: str, prompt: str, direction: tuple):
            decided = json.dumps(dataclasses.asdict(condition(prompt, dict(direction))), sort_keys=True)
            return hashlib.blake2b(
                f'{{"conditioning": {decided}, "model": {identity}, "seed": '.encode(), digest_size=16
            )

        self.key = key


def conditioner(spec: SweepSpec, setting: GuidanceSpec):
    """Return the function (prompt, direction) -> Conditioning of one setting."""
    method = get_method(setting.method)
    params = method.Params(**setting.params)
    attributes = {name: spec.attributes[name] for name in setting.attributes}

    def condition(prompt: str, direction: dict[str, str]) -> Conditioning:
        return method.condition(prompt, spec.prompts.negative_prompt, direction, attributes, params)

    return condition


def edit_scale(setting: GuidanceSpec) -> float | None:
    """Return the strength of a setting's edit, where it has a single one."""
    scale = setting.params.get("scale")
    return float(scale) if isinstance(scale, int | float) else None


@lru_cache(1024)
def model_identity(model: ModelSpec) -> str:
    """Return the canonical JSON of what a model adds to its images' pixels; its name is no part of it."""
    from fairsweep.pipelines import resolve_source

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


def _targets(spec: SweepSpec) -> list[dict]:
    return [
        {
            "sweep": spec.name,
            "attribute": name,
            "group": group,
            "group_text": declared.text,
            "target": declared.target,
            "position": position,
        }
        for name, attribute in spec.attributes.items()
        for position, (group, declared) in enumerate(attribute.groups.items())
    ]


def _settings(spec: SweepSpec) -> list[dict]:
    return [
        {
            "sweep": spec.name,
            "model": model.name,
            "setting": setting.name,
            "method": setting.method,
            "guidance_scale": model.guidance_scale,
            "scale": edit_scale(setting),
            "attributes": list(setting.attributes),
            "params": json.dumps(setting.params, sort_keys=True),
            "baseline": setting.method == "none",
        }
        for model in spec.models
        for setting in spec.guidance
    ]
