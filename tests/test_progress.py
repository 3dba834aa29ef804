"""What a run says of its progress: counts at once, a speed once there is one to speak of."""

import io

from rich.console import Console

from fairsweep.terminal import progress


def test_actors_that_finish_together_are_no_speed(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    console = Console(file=io.StringIO(), width=80)
    with progress.RunProgress(console, "images", 100) as shown:
        for second, done in ((10.0, 16), (10.1, 16), (18.1, 32)):
            clock[0] = second
            shown.add(done)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    assert lines == ["images 16/100", "images 64/100  5.9 images/s  6s left", "images 64/100  5.9 images/s  6s left"]


def test_failures_are_counted():
    console = Console(file=io.StringIO(), width=80)
    with progress.RunProgress(console, "images", 4) as shown:
        shown.add(1, failed=2)
    assert console.file.getvalue().splitlines()[-1] == "images 3/4  2 failed"
