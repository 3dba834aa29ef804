"""Read metrics/*.sql: each file is a view of its own name, and its header says what it adds to `summary`.

A metric's file is one select (or several `create macro` statements) under a header of comment lines, each of which goes
on until the next begins:

    -- What it means, in one or two lines.
    -- good: near 0
    -- reads: distributions
    -- one row per: sweep, model, setting, prompt, attribute, classifier
    -- source: the paper or the formula
    -- read: how to read it and its columns   (optional)
    -- range: 0 to 1                          (optional) the least and the greatest value it can have, or infinity
    -- summary mean: total_variation          (optional) the mean over prompts, with its interval
    -- summary: max(p_value) as p_value       (optional) any aggregate over the view's rows of a cell

A cell is one sweep x model x setting x attribute x classifier; a view that knows only some of these is joined on those.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fairsweep import shipped
from fairsweep.errors import FairsweepError
from fairsweep.textfile import read_text

CELL = ("sweep", "model", "setting", "attribute", "classifier")
_KEYS = ("good", "reads", "one row per", "source", "range", "read", "summary mean", "summary")
_MOST_BYTES = 2**20

# The files of metrics of one's own: those of a store lie in its folder `metrics`.
Sources = Sequence[Path]


@dataclass(frozen=True)
class Metric:
    """One metric's file: what its header says, and its SQL."""

    name: str
    meaning: str
    direction: str
    reads: str
    grain: str
    source: str
    reading: str
    range: tuple[float | None, float | None]
    means: tuple[str, ...]
    aggregates: str
    sql: str
    path: Path


def list_metrics(own: Sources = ()) -> list[Metric]:
    """Return the shipped metrics and those of one's own, by name; one's own takes the place of a shipped one."""
    paths = [*sorted(shipped.path("metrics").glob("*.sql")), *own]
    by_name = {path.stem: parse(path) for path in paths}
    return [by_name[name] for name in sorted(by_name)]


def parse(path: Path) -> Metric:
    """Return what a metric's file says: its header, and its SQL."""
    lines: dict[str, list[str]] = {"meaning": []}
    key = "meaning"
    try:
        text = read_text(path, _MOST_BYTES)
    except FairsweepError as error:
        raise FairsweepError(f"{path}: {error}") from None
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        comment = line[2:].strip()
        name, colon, value = comment.partition(":")
        if colon and name in _KEYS:
            key = name
            lines[key] = [value.strip()]
        else:
            lines[key].append(comment)
    header = {key: " ".join(parts) for key, parts in lines.items()}
    return Metric(
        name=path.stem,
        meaning=header["meaning"],
        direction=header.get("good", ""),
        reads=header.get("reads", ""),
        grain=header.get("one row per", ""),
        source=header.get("source", ""),
        reading=header.get("read", ""),
        range=_range(header.get("range", "")),
        means=tuple(re.findall(r"\w+", header.get("summary mean", ""))),
        aggregates=header.get("summary", ""),
        sql=text,
        path=path,
    )


def _range(text: str) -> tuple[float | None, float | None]:
    """Return the bounds that "0 to 1" or "0 to infinity" says; None where there is none."""
    bounds = [float(bound) for bound in text.split(" to ")] if text else [math.inf, math.inf]
    least, most = (None if math.isinf(bound) else bound for bound in bounds)
    return least, most
