"""What a run says of its progress: counts at once, a speed once there is one to speak of, fewer lines the longer."""

import io
import re

import pytest
from rich.console import Console

from fairsweep.terminal import progress


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that stands until it is set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines(console: Console) -> list[str]:
    return console.file.getvalue().splitlines()


def test_actors_that_finish_together_are_no_speed(clock):
    console = Console(file=io.StringIO(), width=80)
    with progress.RunProgress(console, "images", 100) as shown:
        for second, done in ((10.0, 16), (10.1, 16), (18.1, 32)):
            clock[0] = second
            shown.add(done)
    assert lines(console) == ["images 16/100", "images 64/100  5.9 images/s  6s left", "images 64/100  in 18s"]


def test_failures_are_counted():
    console = Console(file=io.StringIO(), width=80)
    with progress.RunProgress(console, "images", 4) as shown:
        shown.add(1, failed=2)
    assert lines(console)[-1] == "images 3/4  in 0s  2 failed"


def test_a_log_of_hours_is_short_and_tells_the_truth(clock):
    console = Console(file=io.StringIO(), width=80)
    total, each = 1200, 12.0
    with progress.RunProgress(console, "images", total) as shown:
        for second in range(1, int(total * each) + 1):
            clock[0] = float(second)
            shown.tick()
            if second % (4 * each) == 0:
                shown.add(4)
    said = lines(console)
    assert len(said) < 80
    assert said[-1] == "images 1200/1200  in 4h 00m"
    half = next(line for line in said if line.startswith("images 6"))
    done = int(half.split()[1].split("/")[0])
    hours, minutes = half.split("each")[1].split()[:2]
    left = 3600 * int(hours.strip("h")) + 60 * int(minutes.strip("m"))
    assert left == pytest.approx((total - done) * each, rel=0.03)


def test_a_batch_that_hangs_lengthens_the_estimate(clock):
    console = Console(file=io.StringIO(), width=80)
    with progress.RunProgress(console, "images", 100) as shown:
        for second in (10.0, 20.0, 30.0):
            clock[0] = second
            shown.add(10)
        clock[0] = 600.0
        shown.tick()
    assert lines(console)[-2].split("  ")[2] == "33m 50s left"


def test_a_narrow_terminal_keeps_the_count_while_it_waits():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    why = "waiting for the cluster: 0 of 1 actors are there; each asks for 2 CPUs and 0 GPUs; the cluster has 2 and 0"
    with progress.RunProgress(console, "images", 48) as shown:
        shown.tick(why)
        shown.tick(why)
    said = console.file.getvalue()
    assert said.count(why) == 1
    assert re.search(r"\rimages  .* 0/48 waiting 0:00:00", "\r".join(said.split("\x1b[2K"))) and "…" not in said
