"""Show how far a run is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections import deque

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# A log of hours is read as a whole: its lines stand farther apart the longer the run takes.
_LINE_AFTER_SECONDS = 5.0
_LINE_AT_LEAST_EVERY_SECONDS = 300.0
_LINES_PER_DOUBLING = 4
# Settings differ in cost, and batches come in no order: an estimate looks back over so much of what has passed.
_WINDOW_SECONDS = 60.0
_WINDOW_BATCHES = 20
# Actors that start together finish their first batches together, which says nothing of their speed.
_RATE_AFTER_SECONDS = 2.0


class RunProgress:
    """Count what is done of one stage, and say how fast it goes and how long it will take."""

    def __init__(self, console: Console, what: str, total: int):
        self._console, self._what, self._total = console, what, total
        self._done = self._failed = 0
        self._note = ""
        self._told: set[str] = set()
        # Starting up says nothing about the speed: it is measured from the first finished images on.
        self._seen: deque[tuple[float, int]] = deque()
        self._start = time.monotonic()
        self._next_line = 0.0
        self._bar: Progress | None = None

    def __enter__(self) -> "RunProgress":
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                # A terminal of 80 columns has room for it beside the words.
                BarColumn(max(10, min(40, self._console.width - 60))),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}", markup=False),
            )
            self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console)
            self._task = self._bar.add_task(self._what, total=self._total, rate="")
            self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        if self._bar:
            self._bar.stop()
        else:
            self._say(f"in {duration(time.monotonic() - self._start)}{self._failures()}")

    def add(self, done: int, failed: int = 0) -> None:
        """Count finished images; failed ones count as finished too."""
        self._done += done + failed
        self._failed += failed
        now = time.monotonic()
        self._seen.append((now, self._done))
        while len(self._seen) > _WINDOW_BATCHES and now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        self.tick()

    def tick(self, note: str | None = None) -> None:
        """Show the present state; `note` says what is waited for, if anything."""
        self._note = self._note if note is None else note
        if self._bar:
            self._tell()
            rate = f"waiting{self._failures()}" if self._note else self._rate()
            self._bar.update(self._task, completed=self._done, rate=rate)
        elif time.monotonic() >= self._next_line:
            self._say(self._rate())
            elapsed = time.monotonic() - self._start
            pause = min(max(_LINE_AFTER_SECONDS, elapsed / _LINES_PER_DOUBLING), _LINE_AT_LEAST_EVERY_SECONDS)
            self._next_line = time.monotonic() + pause

    def _tell(self) -> None:
        """Say once what is waited for, in a line of its own: beside a bar there is no room for it."""
        what = self._note.partition(" ")[0]
        if what and what not in self._told:
            self._told.add(what)
            self._console.print(self._note, soft_wrap=True, markup=False, highlight=False)

    def _say(self, rest: str) -> None:
        text = f"{self._what} {self._done}/{self._total}  {rest}"
        self._console.print(text.rstrip(), soft_wrap=True, highlight=False)

    def _rate(self) -> str:
        if not self._seen or self._note:
            return (self._note or "loading models") + self._failures()
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        if after == before or end - start < _RATE_AFTER_SECONDS:
            return self._failures().strip()
        # What is at work since the last batch counts once it takes longer than a batch took on average.
        mean = (end - start) / (len(self._seen) - 1)
        speed = (after - before) / (end - start + max(0.0, time.monotonic() - end - mean))
        pace = f"{speed:.1f} {self._what}/s" if speed >= 1 else f"{1 / speed:.1f} s each"
        return f"{pace}  {duration((self._total - self._done) / speed)} left{self._failures()}"

    def _failures(self) -> str:
        return f"  {self._failed} failed" if self._failed else ""


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    return f"{seconds // 3600}h {seconds % 3600 // 60:02d}m"
