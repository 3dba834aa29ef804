"""Count how often intervals hold the truth, over simulated models whose truth is known.

The world: a prompt's chance of each group is a softmax of the group's own level, a prompt's deviation (tau) and a
seed's effect, which all prompts and settings share. The unguided setting draws freely; the guided one is dealt
directions by quota, follows them nine times in ten and is exactly on target in every prompt. One image in ten shows no
face. Images are counted in numpy, and from the counts on the metrics' own views work.
"""

from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import duckdb
import numpy as np
import pyarrow as pa

from fairsweep.measure import catalogue, summary
from fairsweep.measure.metrics import list_metrics
from fairsweep.measure.sql import rows
from fairsweep.store.files import Files
from fairsweep.store.schemas import FOLDERS

BLOCKS = 8
LOST = 0.1
FOLLOWED = 0.9
MEANS = ("total_variation", "normalised_entropy", "change_from_baseline")


@dataclass(frozen=True)
class World:
    """One cell of the grid: images per prompt, prompts, the groups' shares, and how much prompts and seeds vary."""

    images: int
    prompts: int
    shares: tuple[float, ...]
    tau: float
    seed_effect: float


def grid(full: bool = False) -> list[World]:
    """Return the worlds of the full grid, or the few that show every kind of failure."""
    if not full:
        return [
            World(8, 3, (0.9, 0.1), 0.3, 0.5),
            World(32, 1, (0.5, 0.5), 0.0, 0.5),
            World(32, 10, (0.99, 0.01), 0.3, 0.0),
            World(100, 10, (0.5, 0.5), 0.0, 0.0),
            World(32, 40, (0.5, 0.3, 0.2), 1.0, 0.5),
        ]
    shares = [(0.5, 0.5), (0.9, 0.1), (0.99, 0.01), (0.5, 0.3, 0.2)]
    worlds = product((8, 32, 100, 250), (1, 3, 10, 40, 150), shares, (0.0, 0.3, 1.0), (0.0, 0.5))
    return [World(*world) for world in worlds]


def run(worlds: list[World], images: int = 2_000_000, seed: int = 1) -> list[dict]:
    """Return the coverage of every interval in every world, from about so many images in each.

    Each row: the world's fields, figure, about (what varies: "these prompts" or "prompts like these"), replicates,
    intervals (how many there were: few prompts have none over prompts like these), coverage, width (the mean).
    """
    connection = duckdb.connect()
    catalogue.create(connection, {kind: Files() for kind in FOLDERS})
    bodies = summary.bodies()
    bodies["unit_counts"] = "from simulated_units"
    means = [metric for metric in list_metrics() if metric.name in MEANS]
    query = summary.summary_query(connection, means, bodies)
    results = []
    for number, world in enumerate(worlds):
        rng = np.random.default_rng([seed, number])
        replicates = int(np.clip(images / (2 * world.images * world.prompts), 20, 1000))
        own = rng.normal(size=(replicates, world.prompts, len(world.shares) - 1))
        _load(connection, world, _draw(rng, world, own))
        results += _measure(connection, world, own, query)
    return results


def _chances(world: World, own: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the chance of each group, (..., groups), where deviations and effects (..., groups - 1) are given."""
    levels = np.log(np.array(world.shares))
    free = levels[:-1] - levels[-1] + world.tau * own + world.seed_effect * seeds
    powers = np.exp(np.concatenate([free, np.zeros((*free.shape[:-1], 1))], axis=-1))
    return powers / powers.sum(-1, keepdims=True)


def _steered(world: World, directions: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    groups = len(world.shares)
    off = (1 - FOLLOWED) / (groups - 1)
    chances = np.where(np.arange(groups) == directions[..., None], FOLLOWED, off)
    # Seeds push a steered image to and from its direction alike, which leaves the mean over directions on target.
    push = np.exp(world.seed_effect * seeds[..., :1])
    odds = np.where(np.arange(groups) == directions[..., None], chances * push, chances)
    return odds / odds.sum(-1, keepdims=True)


def _draw(rng: np.random.Generator, world: World, own: np.ndarray) -> pa.Table:
    """Return the counts of units; past the last group, a direction is none and an outcome is no face."""
    replicates, prompts, _ = own.shape
    groups = len(world.shares)
    seeds = rng.normal(size=(replicates, 1, world.images, groups - 1))
    shape = (replicates, prompts, world.images)
    dealt = np.broadcast_to(np.arange(world.images) % groups, shape).copy()
    dealt = rng.permuted(dealt, axis=-1)
    free = _chances(world, own[:, :, None], seeds)
    tables = []
    for setting, chances in (("none", free), ("fair", _steered(world, dealt, seeds))):
        drawn = (rng.random((*shape, 1)) > chances.cumsum(-1)[..., :-1]).sum(-1)
        outcome = np.where(rng.random(shape) < LOST, groups, drawn)
        direction = dealt if setting == "fair" else np.full(shape, groups)
        block = np.broadcast_to((np.arange(world.images) + 1) % BLOCKS, shape)
        place = np.arange(replicates)[:, None, None] * prompts + np.arange(prompts)[None, :, None]
        key = ((place * BLOCKS + block) * (groups + 1) + direction) * (groups + 1) + outcome
        keys, n = np.unique(key, return_counts=True)
        keys, outcome = np.divmod(keys, groups + 1)
        keys, direction = np.divmod(keys, groups + 1)
        place, block = np.divmod(keys, BLOCKS)
        replicate, prompt = np.divmod(place, prompts)
        columns = {"replicate": replicate, "prompt": prompt, "block": block, "direction": direction, "outcome": outcome}
        tables.append(pa.table({"setting": [setting] * len(n), **columns, "n": n}))
    return pa.concat_tables(tables)


def _load(connection: duckdb.DuckDBPyConnection, world: World, units: pa.Table) -> None:
    groups = [f"g{place}" for place in range(len(world.shares))]
    connection.register("drawn", units)
    connection.execute(
        f"""create or replace table simulated_units as
        select
            'coverage' as sweep, hash('coverage', replicate::varchar, setting, prompt::varchar) as cell,
            hash('coverage', replicate::varchar, setting, prompt::varchar) as judge,
            block as seed_block, {groups}[direction + 1] as steered_to, 'group' as attribute, 'c' as classifier,
            coalesce({groups}[outcome + 1], 'no_face') as outcome, outcome < {len(groups)} as declared, n
        from drawn"""
    )
    connection.execute(
        """create or replace table simulated_plan as
        select distinct
            'coverage' as sweep, replicate::varchar as model, setting, prompt::varchar as prompt,
            prompt::varchar as prompt_name
        from drawn"""
    )
    connection.execute(
        f"create or replace table names as select unnest({groups}) as name, unnest(range({len(groups)})) as place"
    )
    connection.execute(
        f"""create or replace view targets as select 'coverage' as sweep, 'group' as attribute, name as "group",
        name as group_text, 1e0 / {len(groups)} as target, place::integer as position from names"""
    )
    connection.execute(
        """create or replace view settings as select distinct 'coverage' as sweep, model, setting, setting as method,
        null::double as guidance_scale, 1e0 as scale, ['group'] as attributes, '{}' as params,
        setting = 'none' as baseline from simulated_plan"""
    )
    connection.execute("create or replace view plan as from simulated_plan")
    connection.execute("create or replace view unit_counts as from simulated_units")
    for name, sql in summary.STRATA.items():
        connection.execute(f"create or replace view {name} as {sql}")


def _truths(world: World, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of each replicate's prompts over all seeds, and those of many prompts like these."""
    seeds = _lattice(len(world.shares) - 1, 60 if len(world.shares) == 2 else 16)
    many = _lattice(len(world.shares) - 1, 2000 if len(world.shares) == 2 else 50)
    return tuple(_chances(world, u[..., None, :], seeds).mean(-2) for u in (own, many))


def _lattice(dimensions: int, points: int) -> np.ndarray:
    """Return normal quantiles at the midpoints of a lattice, (points ^ dimensions, dimensions)."""
    line = [NormalDist().inv_cdf((place + 0.5) / points) for place in range(points)]
    return np.array(list(product(line, repeat=dimensions)))


def _measure(connection: duckdb.DuckDBPyConnection, world: World, own: np.ndarray, query: str) -> list[dict]:
    ours, theirs = _truths(world, own)
    fair = np.full(len(world.shares), 1 / len(world.shares))
    values = {
        "total_variation": lambda shares: np.abs(shares - fair).sum(-1) / 2,
        "normalised_entropy": lambda shares: -(shares * np.log(shares)).sum(-1) / np.log(len(fair)),
        "change_from_baseline": lambda shares: -np.abs(shares - fair).sum(-1) / 2,
    }
    results = []

    def held(figure: str, about: str, truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        shown = ~np.isnan(low)
        covered = ((low - 1e-9 <= truth) & (truth <= high + 1e-9))[shown]
        results.append(
            vars(world)
            | {"figure": figure, "about": about, "replicates": len(own), "intervals": int(shown.sum())}
            | {"coverage": float(covered.mean()) if len(covered) else None}
            | {"width": float((high - low)[shown].mean()) if len(covered) else None}
        )

    def bounds(sql: str, *names: str) -> list[np.ndarray]:
        found = rows(connection.execute(sql))
        return [np.array([np.nan if row[name] is None else row[name] for row in found], float) for name in names]

    order = "order by model::int, prompt::int"
    for setting, shares in (("none", ours), ("fair", np.broadcast_to(fair, ours.shape))):
        lows = bounds(
            f"select low, high from share where setting = '{setting}' and position = 1 {order}", "low", "high"
        )
        held(f"share, {setting}", "this prompt", shares[..., 0].ravel(), *lows)
        lows = bounds(f"select low, high from total_variation where setting = '{setting}' {order}", "low", "high")
        held(f"total_variation, {setting}", "this prompt", values["total_variation"](shares).ravel(), *lows)
        means = f"""select low, high, population_low, population_high from mean_share
            where setting = '{setting}' and position = 1 order by model::int"""
        low, high, wide_low, wide_high = bounds(means, "low", "high", "population_low", "population_high")
        held(f"mean_share, {setting}", "these prompts", shares[..., 0].mean(1), low, high)
        population = theirs[:, 0].mean() if setting == "none" else fair[0]
        held(f"mean_share, {setting}", "prompts like these", np.full(len(low), population), wide_low, wide_high)
    lows = bounds(f"select low, high from change_from_baseline {order}", "low", "high")
    held("change_from_baseline", "this prompt", values["change_from_baseline"](ours).ravel(), *lows)
    connection.execute(f"create or replace temp table measured as {query}")
    for figure, value in values.items():
        setting = "fair" if figure == "change_from_baseline" else "none"
        names = [f"{figure}_{bound}" for bound in ("low", "high", "population_low", "population_high")]
        sql = f"select * from measured where setting = '{setting}' order by model::int"
        low, high, wide_low, wide_high = bounds(sql, *names)
        held(f"mean {figure}", "these prompts", value(ours).mean(1), low, high)
        held(f"mean {figure}", "prompts like these", np.full(len(low), value(theirs).mean()), wide_low, wide_high)
    zero = bounds(
        "select total_variation_low as low, total_variation_high as high from measured where setting = 'fair'",
        "low",
        "high",
    )
    held("mean total_variation, fair", "these prompts", np.zeros(len(own)), *zero)
    return results


def table(results: list[dict]) -> str:
    """Return the lowest coverage over the worlds of each figure, images and prompts, in Markdown; "none": not shown."""
    prompts = sorted({row["prompts"] for row in results})
    lines = ["| figure | about | images | " + " | ".join(f"{count} prompts" for count in prompts) + " |"]
    lines.append("|---|---|--:|" + "--:|" * len(prompts))
    keys = dict.fromkeys((row["figure"], row["about"], row["images"]) for row in results)
    for key in sorted(keys):
        cells = []
        for count in prompts:
            own = [
                row for row in results if (row["figure"], row["about"], row["images"], row["prompts"]) == (*key, count)
            ]
            coverages = [row["coverage"] for row in own if row["coverage"] is not None]
            cells.append(f"{min(coverages):.3f}" if coverages else "none" if own else "")
        lines.append(f"| {key[0]} | {key[1]} | {key[2]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
