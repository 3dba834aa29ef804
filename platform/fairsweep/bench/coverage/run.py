"""Run worlds in batches, one pass of the views for many of them, and keep what is measured in a file."""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fairsweep.bench.coverage.figures import measure
from fairsweep.bench.coverage.store import Simulation
from fairsweep.bench.coverage.world import World, draw

# Prompts of all replicates in one pass: some seconds, below 1 GB; and the fewest replicates that say something.
BATCH = 12_000
FEWEST = 40


def run(worlds: list[World], prompts: int = 4_000, seed: int = 1, file: Path | None = None) -> list[dict]:
    """Return what `measure` says of every world, from about so many prompts of it: 40 to 1,000 replicates.

    file: JSON lines, one per world and figure; worlds that stand there already are not drawn again.
    """
    settings = {"prompts_drawn": prompts, "seed": seed}
    results = []
    if file and file.exists():
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        results = [line for line in lines if line["settings"] == settings and world_of(line) in set(worlds)]
    done = {world_of(line) for line in results}
    simulation = Simulation()
    for batch in _batches([world for world in worlds if world not in done], prompts):
        draws = [
            draw(np.random.default_rng([seed, zlib.crc32(repr(world).encode())]), world, _replicates(world, prompts))
            for world in batch
        ]
        rows = [row | {"world": vars(batch[row["world"]]), "settings": settings} for row in measure(simulation, draws)]
        # As they are in the file: lists, no tuples.
        lines = [json.dumps(row) for row in rows]
        results += [json.loads(line) for line in lines]
        if file:
            with file.open("a", encoding="utf-8") as stream:
                stream.write("".join(line + "\n" for line in lines))
    return results


def extremes(results: list[dict], each: int = 2) -> list[World]:
    """Return the worlds where a figure is lowest and highest: those to draw again."""
    worlds: dict[World, None] = {}
    for rows in by_figure(results).values():
        ranked = sorted((row for row in rows if row["value"] is not None), key=lambda row: row["value"])
        for row in ranked[:each] + ranked[-each:]:
            worlds[world_of(row)] = None
    return list(worlds)


def world_of(row: dict) -> World:
    """Return the world of a measured row, whose shares JSON has made a list."""
    return World(**{**row["world"], "shares": tuple(row["world"]["shares"])})


def by_figure(results: Iterable[dict]) -> dict[tuple[str, str, str], list[dict]]:
    """Return the rows of each kind, figure and about, in that order."""
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in results:
        groups.setdefault((row["kind"], row["figure"], row["about"]), []).append(row)
    return dict(sorted(groups.items()))


def _replicates(world: World, prompts: int) -> int:
    return int(np.clip(prompts // world.prompts, FEWEST, 1000))


def _batches(worlds: list[World], prompts: int) -> Iterable[list[World]]:
    batch: list[World] = []
    size = 0
    for world in worlds:
        own = _replicates(world, prompts) * world.prompts
        if batch and size + own > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(world)
        size += own
    if batch:
        yield batch
