"""The log of one place: the step an actor is at, for who asks why it died, and tracebacks, for who mends it."""

import faulthandler
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

_WORK, _LOAD = "work", "load "


class Journal:
    """A text file that actors of one place and the driver add lines to; each line names the process it is about."""

    def __init__(self, path: Path):
        self.path = path
        self._step: str | None = None
        self._file: TextIO | None = None

    def step(self, loading: str = "") -> None:
        """Say what this process loads from now on, or that it works; written only when it changes."""
        step = _LOAD + loading if loading else _WORK
        if step == self._step:
            return
        self._step = step
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115 (for the process's life)
            faulthandler.enable(self._file)
        self._file.write(f"{_now()} [{os.getpid()}] {step}\n")

    def loading(self, process: int) -> str:
        """Return what a process was loading when it wrote here last, or ""."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        mark = f" [{process}] "
        step = next((line.split(mark, 1)[1] for line in reversed(lines) if mark in line), "")
        return step.removeprefix(_LOAD) if step.startswith(_LOAD) else ""

    def keep(self, text: str) -> None:
        """Add a traceback, or whatever tells what went wrong."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{_now()}\n{text.rstrip()}\n\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
