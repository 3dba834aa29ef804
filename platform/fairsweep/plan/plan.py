"""Turn a spec into its plan: one row per image, each under an id made from all that decides the image's pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fairsweep.plan import decisions, declared
from fairsweep.plan.identity import begin, finish
from fairsweep.plan.possible import check_possible
from fairsweep.plan.quota import deal
from fairsweep.plan.rounds import Rounds
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec
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
    rounds = rounds or Rounds(spec, decisions.read(store, spec.name))
    path = store.write_plan(spec.name, _tables(rounds))
    store.write("targets", spec.name, declared.targets(spec))
    store.write("settings", spec.name, declared.settings(spec, rounds.rules))
    store.write_spec(spec.name, {"spec": spec.model_dump(mode="json"), "fingerprint": spec.fingerprint})
    return path


def _tables(rounds: Rounds) -> Iterator[pa.Table]:
    """Yield the plan in tables of about ROW_GROUP rows."""
    runs, rows = [], 0
    for run in _runs(rounds):
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
    seeds: tuple[int, ...]
    batches: list[int]


def _runs(rounds: Rounds) -> Iterator[_Run]:
    spec = rounds.spec
    prompts = spec.prompts.expand()
    targets = {name: attribute.target for name, attribute in spec.attributes.items()}
    keys = [f"{spec.direction_seed}\n{prompt.text}" for prompt in prompts]
    directions = [_interned(islice(deal(targets, key), len(spec.seeds))) for key in keys]
    steering = [_Steering(spec, setting) for setting in spec.guidance]
    size, first = spec.run.batch_size, 0
    for (number, part), model in product(enumerate(rounds.blocks), spec.models):
        rank = 0
        for start in range(part.start, min(part.stop, len(spec.seeds)), size):
            block = slice(start, min(start + size, part.stop))
            for prompt, dealt_ahead in zip(prompts, directions, strict=True):
                for steer in steering:
                    if number >= rounds.planned(model.name, steer.setting.name, prompt.text):
                        continue
                    dealt = [steer.restrict(direction) for direction in dealt_ahead[block]]
                    begun = (steer.begin(model, prompt.text, direction) for direction in dealt)
                    ids = list(map(finish, begun, spec.seeds[block]))
                    shared = {
                        "sweep": spec.name,
                        "model": model.name,
                        "setting": steer.setting.name,
                        "method": steer.setting.method,
                        "prompt": prompt.text,
                        "prompt_name": prompt.name,
                        "variables": list(prompt.variables.items()),
                        "scale": steer.scale,
                    }
                    batches = [first + place // size for place in range(rank, rank + len(ids))]
                    yield _Run(shared, ids, dealt, spec.seeds[block], batches)
                    rank += len(ids)
        first += -(-rank // size)


def _table(runs: list[_Run]) -> pa.Table:
    repeat = np.repeat(np.arange(len(runs)), [len(run.ids) for run in runs])
    known: dict[tuple, int] = {}
    dealt = [known.setdefault(direction, len(known)) for run in runs for direction in run.directions]
    columns = {
        "image_id": pa.array([image_id for run in runs for image_id in run.ids]),
        "seed": pa.array([seed for run in runs for seed in run.seeds]),
        "batch": pa.array([number for run in runs for number in run.batches]),
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
        self.scale = declared.edit_scale(setting)
        attributes = setting.attributes if setting.uses_direction else ()
        self.restrict = lru_cache(4096)(lambda items: tuple(item for item in items if item[0] in attributes))
        condition = setting.build(spec.attributes, spec.prompts.negative_prompt)

        @lru_cache(65_536)
        def begun(model: ModelSpec, prompt: str, direction: tuple):
            return begin(model, condition(prompt, dict(direction)).counted(model.steps))

        self.begin = begun
