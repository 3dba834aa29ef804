"""Draw metric rows: the share strips as HTML whose text keeps its size, the rest as SVG."""

from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from fairsweep import shipped

# matplotlib is given these stand-ins, which become the page's own colours, light or dark.
_INKS = {"ink": "#010101", "soft": "#020202", "grid": "#030303", "paper": "#040404"}
_INKS |= {f"c{i}": f"#0{i}0{i}0{i}" for i in range(5, 10)}
_MARKERS = "osD^vPX"


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share as text, such as "94 %"; a dash for none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def number(value: object) -> str:
    """Return a table's value as short text."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def share_plots(rows: Iterable[dict]) -> list[dict]:
    """Arrange rows of `share` as one dot plot per attribute, in the order of the rows.

    rows: attribute, group, prompt_name, model, setting, baseline, share, low, high, target. A plot has its
    `groups` (of two the first alone, since the other is its complement), their `targets`, and per prompt and
    group its rows.
    """
    plots: dict[str, dict] = {}
    for row in rows:
        plot = plots.setdefault(
            row["attribute"], {"attribute": row["attribute"], "targets": {}, "prompts": {}}
        )
        plot["targets"].setdefault(row["group"], row["target"])
        plot["prompts"].setdefault(row["prompt_name"], {}).setdefault(row["group"], []).append(row)
    for plot in plots.values():
        groups = list(plot["targets"])
        plot["groups"] = groups[:1] if len(groups) == 2 else groups
    return list(plots.values())


@cache
def templates() -> Environment:
    """Return the shipped templates; they escape every text that they are given."""
    folder = shipped.path("dashboards") / "report"
    env = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    env.filters |= {"percent": percent, "number": number, "at": lambda share: f"{100 * share:.1f}%"}
    env.globals["css"] = lambda name: Markup((folder / name).read_text(encoding="utf-8"))
    return env
