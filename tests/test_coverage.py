"""What the intervals promise, over simulated models whose truth is known, and what every header says of its view."""

import pytest

from fairsweep.bench.coverage import World, grid, run, table


def check(results):
    """Every interval covers in 90 % or more, less three binomial errors of so many replicates."""
    assert results
    for row in results:
        if row["coverage"] is not None:
            error = (0.9 * 0.1 / row["replicates"]) ** 0.5
            assert row["coverage"] >= 0.9 - 3 * error, row


def test_intervals_cover_their_own_truths():
    """A few worlds of every kind, numpy seed 1."""
    check(run(grid(), images=40_000))


def test_few_prompts_have_none_over_prompts_like_these():
    results = run([World(8, 3, (0.5, 0.5), 0.0, 0.0)], images=2_000)
    wide = [row for row in results if row["about"] == "prompts like these"]
    assert wide and all(row["intervals"] == 0 and row["coverage"] is None for row in wide)
    assert "| none |" in table(results)


@pytest.mark.slow
def test_intervals_cover_on_worlds_of_the_whole_grid():
    """Every 40th world, numpy seed 1; `fairsweep bench coverage --full` takes hours for all of them."""
    check(run(grid(full=True)[7::40], images=40_000))
