"""What a user can get wrong and what can fail as expected: one small hierarchy, every member picklable."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class FairsweepError(Exception):
    """Say in one line what is wrong, why, and what to do next; commands print it and exit with `exit_code`."""

    exit_code = 2


class SpecError(FairsweepError):
    """Report a mistake in a sweep spec, with the file, the line (from 1) and the key where it stands."""

    def __init__(self, message: str, file: str | None = None, line: int | None = None, key: str | None = None):
        super().__init__(message, file, line, key)
        self.message, self.file, self.line, self.key = message, file, line, key

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.key, self.message) if part)


class StoreError(FairsweepError):
    """Report a store that is missing, locked by another run, or holds something else than expected."""


class ModelLoadError(FairsweepError):
    """Report a model that cannot be loaded, with the reason and the remedy."""


class ImportDataError(FairsweepError):
    """Report a file of references or calibration counts that cannot be imported."""


class ClusterError(FairsweepError):
    """Report a Ray cluster that cannot be reached or cannot give what the spec asks for."""


def near(word: Any, words: Iterable[str]) -> str:
    """Return "; did you mean ...?" for the nearest of the words, or what is known when none is near."""
    words = list(words)
    match = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    if match:
        return f"; did you mean {match[0]!r}?"
    return f"; known: {', '.join(words)}" if words else ""


def some(names: Sequence[str], most: int = 5) -> str:
    """Return names in a line, the first few of many, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def counted(count: int, noun: str) -> str:
    """Return a number with what it counts: 1 prompt, 1,200 images."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; its class's name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def reason(error: BaseException) -> str:
    """Return an error as one line for a row of the store: its class and its first line."""
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {line}"[:500]
