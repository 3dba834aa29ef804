"""What the intervals and tests promise, over simulated models whose truth is known."""

from itertools import combinations
from pathlib import Path

import pytest

from fairsweep.bench.coverage.run import extremes, run
from fairsweep.bench.coverage.table import table
from fairsweep.bench.coverage.world import PROMPTS, World, few, grid
from fairsweep.measure.catalogue import connect
from fairsweep.measure.metrics import list_metrics
from fairsweep.store import Store

# Where fewer than so many replicates tell, nothing can be told.
FEWEST = 20


def check(results):
    """Intervals cover in 90 % or more and tests reject a true null in 5 % or fewer, within four standard errors.

    Four, since the worlds and figures are many hundred.
    """
    assert results
    for row in results:
        if row["value"] is None or row["replicates"] < FEWEST:
            continue
        if row["kind"] == "interval":
            assert row["value"] >= 0.9 - 4 * row["error"], row
        else:
            assert row["value"] <= 0.05 + 4 * row["error"], row


def test_intervals_cover_their_own_truths_and_tests_keep_their_level():
    """A few worlds of every kind, numpy seed 1."""
    results = run(few(), prompts=300)
    assert {row["kind"] for row in results} == {"interval", "test"}
    check(results)


def test_few_prompts_have_none_over_prompts_like_these(tmp_path):
    """And a world that a file of results holds already is not drawn again."""
    world = World(8, 3, (0.5, 0.5))
    file = tmp_path / "worlds.jsonl"
    results = run([world], prompts=180, file=file)
    wide = [row for row in results if row["about"] == "prompts like these"]
    assert wide and all(row["units"] == 0 and row["value"] is None for row in wide)
    before = file.read_bytes()
    assert run([world], prompts=180, file=file) == results and file.read_bytes() == before
    assert extremes(results) == [world]
    assert "| mean_share, none | prompts like these | 1 | 1 | 0 | 0 | 0 |  |  |" in table(results)


def test_the_page_says_of_every_interval_what_it_is_about(tmp_path):
    """Every metric with a `low` stands in the table of docs/statistics.md."""
    page = (Path(__file__).parents[1] / "docs" / "statistics.md").read_text(encoding="utf-8")
    about = page.partition("## What each view's interval is about")[2].partition("\n## ")[0]
    query = "select distinct table_name from duckdb_columns() where column_name = 'low'"
    views = {name for (name,) in connect(Store(tmp_path)).execute(query).fetchall()}
    names = {metric.name for metric in list_metrics()} & views
    assert len(names) > 20 and [name for name in sorted(names) if f"`{name}`" not in about] == []


def pairs(worlds: list[World]) -> set[tuple]:
    """Return which values of every two factors meet in a world."""
    return {pair for world in worlds for pair in combinations(vars(world).items(), 2)}


@pytest.mark.slow
def test_intervals_cover_all_over_the_grid():
    """Every seventh world, of those with most prompts one in three of these; each value of a factor meets each other.

    `fairsweep bench coverage --full` draws all.
    """
    worlds = grid()[::7]
    large = [world for world in worlds if world.prompts == max(PROMPTS)]
    worlds = [world for world in worlds if world not in large or world in large[::3]]
    assert pairs(worlds) == pairs(grid())
    check(run(worlds, prompts=300))
