"""How a command ends that is stopped by a signal: at once, with one line, and exit status 130."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

_INTERRUPTED = 130


class Commands(TyperGroup):
    """All commands: one that Ctrl-C stops, and that says nothing of it itself, ends with one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            with interrupts():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(_INTERRUPTED) from None


class Ending:
    """Answer SIGTERM, and say once that the same command resumes."""

    told = False

    def __call__(self, *_) -> None:
        # At once: whoever sends it, such as `ray job stop`, may kill in seconds, and leaving a cluster takes as long.
        self.tell()
        raise KeyboardInterrupt

    def tell(self) -> None:
        """Say it, unless that was done."""
        if not self.told:
            self.told = True
            # Below Python's buffers, which a signal may find in use.
            os.write(2, b"interrupted; the same command resumes\n")


@contextmanager
def resumable() -> Iterator[Ending]:
    """Let SIGTERM end the block as Ctrl-C does."""
    ending = Ending()
    before = signal.signal(signal.SIGTERM, ending)
    try:
        with interrupts():
            yield ending
    except KeyboardInterrupt:
        ending.tell()
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def interrupts() -> Iterator[None]:
    """Let Ctrl-C within a query be what it is elsewhere, a KeyboardInterrupt: DuckDB raises an error of its own."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from None
