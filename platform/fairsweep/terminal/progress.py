"""Show how far a run is: a bar on a terminal, a line every few seconds elsewhere."""

import time
from collections import deque

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LINE_EVERY_SECONDS = 5.0
_WINDOW_SECONDS = 60.0
# Actors that start together finish their first batches together, which says nothing of their speed.
_RATE_AFTER_SECONDS = 2.0


class RunProgress:
    """Count what is done of one stage, and say how fast it goes and how long it will take."""

    def __init__(self, console: Console, what: str, total: int):
        self._console, self._what, self._total = console, what, total
        self._done = self._failed = 0
        self._note = ""
        # Starting up says nothing about the speed: it is measured from the first finished images on.
        self._seen: deque[tuple[float, int]] = deque()
        self._said = 0.0
        self._bar = None

    def __enter__(self) -> "RunProgress":
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
            )
            self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console)
            self._task = self._bar.add_task(self._what, total=self._total, rate="")
            self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        if self._bar:
            self._bar.stop()
        else:
            self._say()

    def add(self, done: int, failed: int = 0) -> None:
        """Count finished images; failed ones count as finished too."""
        self._done += done + failed
        self._failed += failed
        now = time.monotonic()
        self._seen.append((now, self._done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        self.tick()

    def tick(self, note: str | None = None) -> None:
        """Show the present state; `note` says what is waited for, if anything."""
        self._note = self._note if note is None else note
        if self._bar:
            self._bar.update(self._task, completed=self._done, rate=self._rate())
        elif time.monotonic() - self._said >= _LINE_EVERY_SECONDS:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        self._console.print(f"{self._what} {self._done}/{self._total}  {self._rate()}", soft_wrap=True, highlight=False)

    def _rate(self) -> str:
        failed = f"  {self._failed} failed" if self._failed else ""
        if not self._seen:
            return (self._note or "starting") + failed
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        if after == before or end - start < _RATE_AFTER_SECONDS:
            return failed.strip()
        speed = (after - before) / (end - start)
        left = (self._total - self._done) / speed
        return f"{speed:.1f} images/s  {duration(left)} left{failed}"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    return f"{seconds // 3600}h {seconds % 3600 // 60:02d}m"
