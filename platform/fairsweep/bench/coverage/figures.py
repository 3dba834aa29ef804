"""Compare every interval with its own truth, and count how often each test rejects a null that holds."""

from collections.abc import Iterator

import numpy as np

from fairsweep.bench.coverage.store import MEANS, Simulation
from fairsweep.bench.coverage.truths import DISTANCES, nulls, truths
from fairsweep.bench.coverage.world import Draw

LEVEL = 0.05
_CELL = "sweep::int as world, model::int as replicate"
_PROMPT = f"{_CELL}, prompt::int as prompt"


def measure(simulation: Simulation, draws: list[Draw]) -> Iterator[dict]:
    """Yield a row per world and figure.

    world (its place among draws), kind (interval or test), figure, about (what varies), units (intervals or tests),
    value (coverage, or how often a null that holds was rejected), error (its standard error, replicates being
    independent), width (the mean).
    """
    simulation.load(draws)
    truth = [truths(draw) for draw in draws]
    for figure, about, query in _intervals():
        yield from _covered(figure, about, simulation.columns(query), truth, draws)
    held = [nulls(draw) for draw in draws]
    for figure, query in _tests():
        yield from _rejected(figure, simulation.columns(query), held, draws)
    for setting in ("none", "fair"):
        yield from _discovered(simulation, setting, held, draws)
    simulation.compare()
    query = """select world, replicate, low, high, p_value from compared where "group" = 'g0'"""
    rows = simulation.columns(query)
    yield from _covered("model_comparison", "these prompts", rows, truth, draws)
    yield from _rejected("model_comparison", rows, held, draws)
    simulation.mix()
    yield from _discovered(simulation, "mixed", held, draws)


def _intervals() -> Iterator[tuple[str, str, str]]:
    """Yield each figure, what varies in its interval, and the query of its keys, low and high."""
    for setting in ("none", "fair"):
        own = f"where setting = '{setting}'"
        places = f"{_PROMPT}, position - 1 as position"
        yield f"share, {setting}", "this prompt", f"select {places}, low, high from share {own}"
        for view in ("missing_share", *DISTANCES):
            yield f"{view}, {setting}", "this prompt", f"select {_PROMPT}, low, high from {view} {own}"
        for view in ("mean_share", *MEANS):
            if view == "change_from_baseline" and setting == "none":
                continue
            source, prefix = ("measured", f"{view}_") if view in MEANS else ("mean_share", "")
            filter = own if view in MEANS else f"{own} and position = 1"
            name = view if view == "mean_share" else f"mean {view}"
            name += "" if view == "change_from_baseline" else f", {setting}"
            for about, bounds in (("these prompts", ""), ("prompts like these", "population_")):
                columns = f"{prefix}{bounds}low as low, {prefix}{bounds}high as high"
                yield name, about, f"select {_CELL}, {columns} from {source} {filter}"
        for about, bounds in (("these prompts", ""), ("prompts like these", "population_")):
            query = f"select {_CELL}, {bounds}low as low, {bounds}high as high from bias_amplification {own}"
            yield f"bias_amplification, {setting}", about, query
    for view in ("change_from_baseline", "distance_change"):
        yield view, "this prompt", f"select {_PROMPT}, low, high from {view}"
    yield "side_effects", "these prompts", f"""select {_CELL}, low, high from side_effects where "group" = 'g0'"""
    yield "steering", "this prompt", f"select {_PROMPT}, low, high from steering"


def _tests() -> Iterator[tuple[str, str]]:
    for setting in ("none", "fair"):
        yield f"target_test, {setting}", f"select {_PROMPT}, p_value from target_test where setting = '{setting}'"
        yield f"cell_test, {setting}", f"select {_CELL}, p_value from cell_test where setting = '{setting}'"
    yield "mutual_information", f"select {_CELL}, p_value from mutual_information where setting = 'none'"
    for view in ("change_from_baseline", "distance_change"):
        yield view, f"select {_PROMPT}, p_value from {view}"
    yield "mcnemar", f"select {_PROMPT}, p_value from mcnemar where prompt is not null"
    yield "mcnemar, all prompts", f"select {_CELL}, p_value from mcnemar where prompt is null"
    yield "side_effects", f"""select {_CELL}, p_value from side_effects where "group" = 'g0'"""


def _covered(figure: str, about: str, rows: dict, truth: list[dict], draws: list[Draw]) -> Iterator[dict]:
    key = f"{figure}, population" if about == "prompts like these" else figure
    keys = [rows[name] for name in ("replicate", "prompt", "position") if name in rows]
    for place in range(len(draws)):
        own = rows["world"] == place
        if key not in truth[place] or not own.any():
            continue
        low, high = rows["low"][own], rows["high"][own]
        # Wide enough for what the truths' quadrature and the views' sums round.
        true = truth[place][key][tuple(part[own] for part in keys)]
        missed = ~((low - 1e-6 <= true) & (true <= high + 1e-6))
        shown = ~np.isnan(low)
        # The intervals of all groups of a prompt hold together, or do not.
        _, unit = np.unique(np.stack([part[own] for part in keys[:2]]), axis=1, return_inverse=True)
        covered = np.bincount(unit, weights=missed) == 0
        present = np.bincount(unit, weights=shown) > 0
        replicate = np.zeros(len(covered), int)
        replicate[unit] = keys[0][own]
        yield {
            "world": place, "kind": "interval", "figure": figure, "about": about, "rows": len(covered),
            **_mean(covered[present], replicate[present]),
            "width": float((high - low)[shown].mean()) if shown.any() else None,
        }  # fmt: skip


def _rejected(figure: str, rows: dict, held: list[dict], draws: list[Draw]) -> Iterator[dict]:
    keys = [rows[name] for name in ("replicate", "prompt") if name in rows]
    for place in range(len(draws)):
        own = rows["world"] == place
        if figure not in held[place] or not own.any():
            continue
        true = held[place][figure][tuple(part[own] for part in keys)] & ~np.isnan(rows["p_value"][own])
        if true.any():
            rejected = rows["p_value"][own][true] <= LEVEL
            yield {
                "world": place, "kind": "test", "figure": figure, "about": "level", "rows": int(true.sum()),
                **_mean(rejected, keys[0][own][true]), "width": None,
            }  # fmt: skip


def _discovered(simulation: Simulation, setting: str, held: list[dict], draws: list[Draw]) -> Iterator[dict]:
    """Yield the false discovery rate of the verdicts over the prompts of a cell."""
    figure = f"target_test, {setting}"
    rows = simulation.columns(
        f"select {_PROMPT}, verdict = 'off target' as found from target_test where setting = '{setting}'"
    )
    for place, draw in enumerate(draws):
        own = rows["world"] == place
        if figure not in held[place] or not own.any() or not held[place][figure].any() or draw.world.prompts == 1:
            continue
        replicate, prompt = rows["replicate"][own], rows["prompt"][own]
        found = rows["found"][own].astype(bool)
        false = found & held[place][figure][replicate, prompt]
        proportion = np.bincount(replicate, weights=false) / np.maximum(1, np.bincount(replicate, weights=found))
        yield {
            "world": place, "kind": "test", "figure": figure, "about": "false discovery rate", "rows": len(proportion),
            **_mean(proportion, np.arange(len(proportion))), "width": None,
        }  # fmt: skip


def _mean(values: np.ndarray, replicate: np.ndarray) -> dict:
    """Return the mean and its standard error: what one replicate says may hang together, its prompts sharing seeds."""
    if not len(values):
        return {"units": 0, "replicates": 0, "value": None, "error": None}
    value = float(values.mean())
    n = np.bincount(replicate)
    off = np.bincount(replicate, weights=values - value)[n > 0]
    count = len(off)
    error = np.sqrt((off**2).sum() * count / max(1, count - 1)) / len(values)
    if count == 1:
        error = np.sqrt(value * (1 - value) / len(values))
    # Where all agree the error is not zero: that of one more that does not.
    error = max(error, 1 / (1 + (count if count > 1 else len(values))))
    return {"units": len(values), "replicates": count, "value": value, "error": float(error)}
