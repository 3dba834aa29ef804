"""Turn a spec into its plan: one row per image, each under an id made from all that decides the image's pixels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fairsweep.errors import SpecError
from fairsweep.plan import decisions, declared
from fairsweep.plan.identity import begin, finish
from fairsweep.plan.possible import check_possible
from fairsweep.plan.quota import deal
from fairsweep.plan.rounds import Part, Rounds
from fairsweep.plan.sources import SourcePicture, write_sources
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec
from fairsweep.spec.size import MOST_IMAGES
from fairsweep.store import Store
from fairsweep.store.schemas import PLAN

ROW_GROUP = 32_768


def write_plan(spec: SweepSpec, store: Store, rounds: Rounds | None = None) -> Path:
    """Write the plan, the resolved spec, the targets and the settings of a sweep, replacing earlier ones.

    rounds: how far its decisions have come; silent: as far as those in the store.
    Rows stand round by round, and what a later round adds comes after all that was there. In a round they stand model
    by model, and within a model by blocks of as many seeds as a batch holds, so that every prompt and setting is
    reached early and a batch is one prompt under one setting where the seeds allow it.
    Which rows are made in one call is written with them: what a batch is made of (and with it the last bits of its
    images) does not depend on what happens to be missing, and batches are full but for the last of a model in a round.
    Memory does not grow with the number of images beyond the directions of each prompt. Raises SpecError for what could
    only fail, before anything is written.
    """
    check_possible(spec)
    sources = write_sources(spec, store)
    _check_number(spec, sources)
    rounds = rounds or Rounds(spec, decisions.read(store, spec.name))
    path = store.write_plan(spec.name, _tables(rounds, sources))
    store.write("targets", spec.name, declared.targets(spec))
    store.write("settings", spec.name, declared.settings(spec, rounds.rules))
    resolved: dict[str, Any] = {"spec": spec.model_dump(mode="json"), "fingerprint": spec.fingerprint}
    if grown := _grown(spec, store):
        resolved["seeds_before"] = grown
    store.write_spec(spec.name, resolved)
    return path


def _grown(spec: SweepSpec, store: Store) -> list[int]:
    """Return how many seeds a fixed sweep had before each time that more were added to it."""
    before = store.read_spec(spec.name)
    seeds = before.get("spec", {}).get("seeds", [])
    added = [len(seeds)] if seeds and not spec.sampling and set(seeds) < set(spec.seeds) else []
    return [number for number in [*before.get("seeds_before", []), *added] if number < len(spec.seeds)]


def _check_number(spec: SweepSpec, sources: tuple[SourcePicture, ...]) -> None:
    """Refuse what multiplies to more than the spec's own bound, where it could not know how many pictures there are."""
    if spec.images is None or spec.images.count is not None:
        return
    images = prod(map(len, (spec.models, spec.prompts.expand(), spec.guidance, spec.seeds, sources)))
    if images > MOST_IMAGES:
        raise SpecError(
            f"images: {len(sources):,} source pictures make {images:,} images: give images.count to allow it"
        )


def _tables(rounds: Rounds, sources: tuple[SourcePicture, ...]) -> Iterator[pa.Table]:
    """Yield the plan in tables of about ROW_GROUP rows."""
    runs, rows = [], 0
    for run in _runs(rounds, sources):
        runs.append(run)
        rows += len(run.ids)
        if rows >= ROW_GROUP:
            yield _table(runs)
            runs, rows = [], 0
    if runs:
        yield _table(runs)


@dataclass
class _Run:
    """Rows of one model, setting and prompt: what they share, and what differs."""

    shared: dict[str, Any]
    ids: list[str]
    directions: list[tuple]
    starts: list[tuple[int, SourcePicture | None]]
    batches: list[int]


def _runs(rounds: Rounds, sources: tuple[SourcePicture, ...]) -> Iterator[_Run]:
    spec = rounds.spec
    prompts = spec.prompts.expand()
    dealt, each = _Dealt(spec, sources), len(sources) or 1
    steering = [_Steering(spec, setting) for setting in spec.guidance]
    size, first = spec.run.batch_size, 0
    for number, model in product(range(rounds.number), spec.models):
        rank = 0
        parts = [
            (prompt, steer, part)
            for prompt in prompts
            for steer in steering
            if (part := rounds.part(number, model.name, steer.setting, prompt.text))
        ]
        for start in range(0, max((len(part.seeds) for _, _, part in parts), default=0) * each, size):
            for prompt, steer, part in parts:
                starts = _starts(part, sources, start, size)
                places = slice(part.first * each + start, part.first * each + start + len(starts))
                directions = [
                    steer.restrict(direction, part.steered) for direction in dealt.directions(prompt.text, part)[places]
                ]
                scales = tuple(part.course.scales.items()) if part.course.scales else None
                ids = [
                    finish(steer.begin(model, prompt.text, direction, scales, source and source.image_id), seed)
                    for direction, (seed, source) in zip(directions, starts, strict=True)
                ]
                shared = {
                    "sweep": spec.name,
                    "model": model.name,
                    "setting": steer.setting.name,
                    "method": steer.setting.method,
                    "prompt": prompt.text,
                    "prompt_name": prompt.name,
                    "variables": list(prompt.variables.items()),
                    "scale": steer.scale,
                    "scales": scales,
                    "pilot": part.pilot,
                }
                batches = [first + place // size for place in range(rank, rank + len(ids))]
                if ids:
                    yield _Run(shared, ids, directions, starts, batches)
                rank += len(ids)
        first += -(-rank // size)


def _starts(
    part: Part, sources: tuple[SourcePicture, ...], start: int, size: int
) -> list[tuple[int, SourcePicture | None]]:
    """Return what some images of a part start from: a seed, and a source picture where the sweep has them."""
    if not sources:
        return [(seed, None) for seed in part.seeds[start : start + size]]
    places = range(start, min(start + size, len(part.seeds) * len(sources)))
    chosen = [(part.seeds[place // len(sources)], sources[place % len(sources)]) for place in places]
    return [(source.seed(seed), source) for seed, source in chosen]


class _Dealt:
    """The directions of a prompt's images, dealt once for all settings that deal alike."""

    def __init__(self, spec: SweepSpec, sources: tuple[SourcePicture, ...]):
        self._spec = spec
        self._shown = [tuple(group for _, group in source.groups) for source in sources] or [()]
        self._dealt: dict[tuple, list[tuple]] = {}

    def directions(self, prompt: str, part: Part) -> list[tuple]:
        quotas = tuple((name, tuple(shares.items())) for name, shares in part.course.quotas.items())
        key = (prompt, part.pilot and len(part.seeds), quotas)
        if key not in self._dealt:
            number = len(part.seeds) if part.pilot else len(self._spec.seeds)
            shuffle = f"{self._spec.direction_seed}\n{prompt}" + "\npilot" * part.pilot
            self._dealt[key] = _interned(deal(part.course.quotas, shuffle, self._shown * number))
        return self._dealt[key]


def _table(runs: list[_Run]) -> pa.Table:
    repeat = np.repeat(np.arange(len(runs)), [len(run.ids) for run in runs])
    known: dict[tuple, int] = {}
    dealt = [known.setdefault(direction, len(known)) for run in runs for direction in run.directions]
    starts = [start for run in runs for start in run.starts]
    columns = {
        "image_id": pa.array([image_id for run in runs for image_id in run.ids]),
        "seed": pa.array([seed for seed, _ in starts]),
        "batch": pa.array([number for run in runs for number in run.batches]),
        "direction": pa.array([list(direction) for direction in known], PLAN.field("direction").type).take(dealt),
    }
    known_of = {
        "source": [source and source.image_id for _, source in starts],
        "source_name": [source and source.name for _, source in starts],
        "source_groups": [list(source.groups) if source else None for _, source in starts],
    }
    columns |= {name: pa.array(values, PLAN.field(name).type) for name, values in known_of.items()}
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
        self.scale = declared.edit_scale(setting)
        self.restrict = lru_cache(4096)(lambda items, steered: tuple(item for item in items if item[0] in steered))

        @lru_cache(1024)
        def condition(scales: tuple | None):
            return setting.at(dict(scales or ())).build(spec.attributes, spec.prompts.negative_prompt)

        @lru_cache(65_536)
        def begun(model: ModelSpec, prompt: str, direction: tuple, scales: tuple | None, source: str | None):
            asked = condition(scales)(prompt, dict(direction)).counted(model.steps_taken)
            return begin(model, replace(asked, source=source))

        self.begin = begun
