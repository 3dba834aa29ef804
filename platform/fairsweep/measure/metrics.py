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
import os
import re
from dataclasses import dataclass
from pathlib import Path

from fairsweep import shipped

CELL = ("sweep", "model", "setting", "attribute", "classifier")
_KEYS = ("good", "reads", "one row per", "source", "range", "read", "summary mean", "summary")


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


def list_metrics(folders: list[Path] | None = None) -> list[Metric]:
    """Return the metrics of the folders (default: the shipped ones and FAIRSWEEP_METRICS), by name."""
    by_name = {}
    for folder in folders or metric_folders():
        for path in sorted(Path(folder).glob("*.sql")):
            by_name[path.stem] = parse(path)
    return [by_name[name] for name in sorted(by_name)]


def metric_folders() -> list[Path]:
    """Return the shipped folder and those that the environment variable FAIRSWEEP_METRICS adds."""
    added = [Path(text) for text in os.environ.get("FAIRSWEEP_METRICS", "").split(os.pathsep) if text]
    return [shipped.path("metrics"), *added]


def parse(path: Path) -> Metric:
    """Return what a metric's file says: its header, and its SQL."""
    lines: dict[str, list[str]] = {"meaning": []}
    key = "meaning"
    text = path.read_text(encoding="utf-8")
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
    )


def _range(text: str) -> tuple[float | None, float | None]:
    """Return the bounds that "0 to 1" or "0 to infinity" says; None where there is none."""
    bounds = [float(bound) for bound in text.split(" to ")] if text else [math.inf, math.inf]
    least, most = (None if math.isinf(bound) else bound for bound in bounds)
    return least, most
