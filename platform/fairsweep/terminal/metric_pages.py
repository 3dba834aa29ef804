"""The metrics as a list, and each as a page of its own."""

import textwrap
from shlex import quote

from rich.console import Console
from rich.text import Text

from fairsweep.measure.columns import meaning
from fairsweep.measure.metrics import Metric

_WIDTH = 100
_KEYS = ("setting", "prompt_name", "attribute", "group", "verdict", "before", "after")
_BOUNDS = ("low", "high", "p_value")
_VALUES = ("share", "flipped_share", "kappa", "rate", "seconds", "association", "effect", "value", "slope", "precision")


def print_list(metrics: list[Metric], screen: Console) -> None:
    """Print each metric's name beside what it means."""
    for metric in metrics:
        _entry(metric.name, metric.meaning, max(len(each.name) for each in metrics), screen)
    screen.print("\nfairsweep metrics NAME says more of one.")


def print_page(metric: Metric, columns: list[tuple[str, str]], screen: Console) -> None:
    """Print what a metric means, how it is read, its columns (name, type), and a query to begin with."""
    screen.print(Text(metric.name, "bold"))
    for line in _wrapped(metric.meaning, screen):
        screen.print(line)
    screen.print()
    for name, text in (facts(metric) | {"file": str(metric.path)}).items():
        _entry(name, text, len("one row per"), screen)
    screen.print("\ncolumns")
    longest = max(len(name) for name, _ in columns)
    for name, kind in columns:
        text = ", ".join(filter(None, [kind.lower(), meaning(metric.name, name)]))
        _entry(f"  {name}", text, longest + 2, screen)
    screen.print(f"\ntry\n  {example(metric.name, [name for name, _ in columns])}", soft_wrap=True)


def facts(metric: Metric) -> dict[str, str]:
    """Return what a metric's header says of it, by the name of the line; what it leaves open is left out."""
    said = {"good": metric.direction, "read": metric.reading, "one row per": metric.grain, "source": metric.source}
    return {name: text for name, text in said.items() if text not in ("", "-")}


def example(metric: str, columns: list[str]) -> str:
    """Return a command that shows a metric's first rows: who and what, the value, its interval."""
    value = [name for name in (metric, *_VALUES) if name in columns][:1]
    chosen = [*(name for name in _KEYS if name in columns), *value, *(name for name in _BOUNDS if name in columns)]
    names = ", ".join('"group"' if name == "group" else name for name in chosen)
    return f"fairsweep sql {quote(f'select {names} from {metric} limit 8')}"


def _entry(name: str, text: str, width: int, screen: Console) -> None:
    """Print a name and its text, whose further lines stand below its first."""
    indent = width + 2
    first, *rest = _wrapped(text, screen, indent) or [""]
    screen.print(Text.assemble((name.ljust(indent), "bold"), first), soft_wrap=True)
    for line in rest:
        screen.print(" " * indent + line, soft_wrap=True)


def _wrapped(text: str, screen: Console, indent: int = 0) -> list[str]:
    if not screen.is_terminal:
        return [text]
    return textwrap.wrap(text, max(20, min(_WIDTH, screen.width) - indent), break_long_words=False)
