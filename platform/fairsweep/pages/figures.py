"""Draw metric rows: the share strips as HTML whose text keeps its size, the rest as SVG."""

import io
import math
import re
from functools import cache

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from fairsweep import shipped
from fairsweep.pages import strips, values

# matplotlib is given these stand-ins, which become the page's own colours, light or dark.
_INKS = {"#010101": "ink", "#020202": "soft", "#030303": "line", "#040404": "paper", "#050505": "before"}
_SERIES = {f"#0000{number:02d}": f"c{number}" for number in range(1, 7)}
_MARKERS = "osD^vP"
_STATIONS = ("data", "encoder", "pictures", "guided")
# Characters of a label that leave room for a second one beside it, and inches that a line of labels takes.
_LEGEND_COLUMN, _LEGEND_LINE = 28, 0.2
# Two points make a line of anything.
_DOSES = 3


@cache
def templates() -> Environment:
    """Return the shipped templates; they escape every text that they are given."""
    folder = shipped.path("dashboards") / "report"
    folders = [folder, shipped.path("dashboards") / "explorer"]
    env = Environment(loader=FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    env.filters |= {"percent": values.percent, "number": values.number, "in_unit": values.in_unit}
    env.filters |= {"columns": values.columns, "heading": values.heading, "interval": values.interval}
    env.filters |= {"numeric": values.numeric, "at": lambda share: f"{100 * share:.1f}%", "before": strips.before}
    env.globals["css"] = lambda name: Markup((folder / name).read_text(encoding="utf-8"))
    return env


def draw(cells: list[dict], dose: list[dict]) -> list[dict]:
    """Return the trade-off and the dose-response of each attribute, where there are rows for them."""
    plots = []
    for attribute in dict.fromkeys(row["attribute"] for row in cells):
        name = attribute.replace("_", " ")
        traded = [row for row in cells if row["attribute"] == attribute and (row["baseline"] or row["scene_kept"])]
        if any(row["scene_kept"] for row in traded):
            caption = f"{name}: each setting's distance to target against what it keeps of the unguided image."
            plots.append({"svg": trade_off(traded, name), "caption": caption})
        dosed = [row for row in dose if row["attribute"] == attribute]
        dosed = [row for row in dosed if _doses(dosed, row) >= _DOSES]
        if dosed:
            caption = f"{name}: distance to target as the edit scale grows."
            plots.append({"svg": dose_response(dosed, name), "caption": caption})
    return plots


def components(rows: list[dict]) -> list[dict]:
    """Return a figure for each attribute whose training data or encoder was audited: a line a prompt.

    rows: attribute, group, component, name, prompt_name, place.
    """
    plots = []
    for attribute in dict.fromkeys(row["attribute"] for row in rows):
        own = [row for row in rows if row["attribute"] == attribute and row["place"] is not None]
        stations = sorted({(_STATIONS.index(row["component"]), row["name"]) for row in own})
        if not any(place < 2 for place, _ in stations):
            continue
        figure, axes = _axes("", f"share of {own[0]['group']}")
        for index, prompt in enumerate(dict.fromkeys(row["prompt_name"] for row in own)):
            line = {
                (_STATIONS.index(row["component"]), row["name"]): row["place"]
                for row in own
                if row["prompt_name"] == prompt
            }
            there = [number for number, station in enumerate(stations) if station in line]
            style = {"color": _colour(index), "marker": _MARKERS[index // len(_SERIES) % len(_MARKERS)]}
            axes.plot(there, [line[stations[number]] for number in there], label=prompt, linewidth=1.5, **style)
        axes.set_xticks(range(len(stations)), [f"{_STATIONS[place]}\n{name}" for place, name in stations], fontsize=7)
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(_per_cent)
        name = attribute.replace("_", " ")
        caption = (
            f"{name}: each prompt's share of {own[0]['group']} from the training data to the pictures. The encoder's "
            "association stands on a scale of its own, none at the middle."
        )
        plots.append(
            {"svg": _svg(figure, f"{name}: data, encoder and pictures, a line per prompt"), "caption": caption}
        )
    return plots


def _doses(rows: list[dict], row: dict) -> int:
    """Return at how many edit scales the line of a row is measured."""
    return len({each["scale"] for each in rows if (each["model"], each["method"]) == (row["model"], row["method"])})


def trade_off(rows: list[dict], attribute: str) -> Markup:
    """Draw what each setting gains in fairness against what it keeps of the image.

    rows: model, setting, baseline, distance, distance_low, distance_high, scene_kept, scene_kept_low, scene_kept_high,
    scene_floor, where nothing is kept.
    """
    figure, axes = _axes("distance to target (left: fairer)", "scene kept (up: as unguided)")
    floors = [row["scene_floor"] for row in rows if row["scene_floor"] is not None and not row["baseline"]]
    if floors:
        axes.axhline(min(floors), color="#020202", linestyle=(0, (4, 3)), linewidth=1, label="another seed's image")
    settings = list(dict.fromkeys(row["setting"] for row in rows if not row["baseline"]))
    models = list(dict.fromkeys(row["model"] for row in rows))
    for row in rows:
        if row["baseline"]:
            axes.axvline(row["distance"], color="#050505", linestyle=(0, (2, 3)), label=f"{row['model']}, unguided")
            continue
        axes.errorbar(
            row["distance"],
            row["scene_kept"],
            xerr=_arms(row, "distance"),
            yerr=_arms(row, "scene_kept"),
            color=_colour(settings.index(row["setting"])),
            marker=_MARKERS[models.index(row["model"]) % len(_MARKERS)],
            label=row["setting"] if len(models) == 1 else f"{row['model']}, {row['setting']}",
            **_POINT,
        )
    axes.set_ylim(top=1)
    axes.xaxis.set_major_formatter(_per_cent)
    return _svg(figure, f"{attribute}: distance to target against what is kept of the scene, per setting")


def dose_response(rows: list[dict], attribute: str) -> Markup:
    """Draw the distance to target over the edit scale, a line per model.

    rows: model, method, scale, distance, distance_low, distance_high.
    """
    figure, axes = _axes("edit scale (0: unguided)", "distance to target (down: fairer)")
    lines: dict[str, list[dict]] = {}
    for row in rows:
        lines.setdefault(f"{row['model']}, {row['method']}", []).append(row)
    for index, (label, line) in enumerate(lines.items()):
        scales = [row["scale"] for row in line]
        style = {"color": _colour(index), "marker": _MARKERS[index % len(_MARKERS)], "label": label}
        arms = [[_arms(row, "distance")[side][0] for row in line] for side in (0, 1)]
        line_style = _POINT | {"linestyle": "-", "clip_on": False}
        axes.errorbar(scales, [row["distance"] for row in line], yerr=arms, **style, **line_style)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_per_cent)
    return _svg(figure, f"{attribute}: distance to target over the edit scale")


_POINT = {"markersize": 7, "capsize": 0, "elinewidth": 1.5, "linestyle": "none", "markeredgecolor": "#040404"}


def _per_cent(share: float, _: int) -> str:
    return values.percent(share)


def _colour(index: int) -> str:
    return list(_SERIES)[index % len(_SERIES)]


def _arms(row: dict, name: str) -> list[list[float]]:
    """Return how far the interval reaches below and above its value; nothing where there is none."""
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return [
        [max(0, value - (value if low is None else low))],
        [max(0, (value if high is None else high) - value)],
    ]


def _axes(x: str, y: str):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x, color="#020202")
    axes.set_ylabel(y, color="#020202")
    axes.tick_params(colors="#020202", length=0)
    axes.grid(color="#030303", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _svg(figure, description: str) -> Markup:
    """Return a figure as inline SVG in the page's own type and colours, with its description as text."""
    import matplotlib

    handles, labels = figure.axes[0].get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) < _LEGEND_COLUMN else 1
    figure.set_figheight(figure.get_figheight() + _LEGEND_LINE * math.ceil(len(labels) / columns))
    options = {"frameon": False, "labelcolor": "#010101", "fontsize": 9}
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, **options)
    buffer = io.StringIO()
    style = {"svg.fonttype": "none", "svg.hashsalt": description, "axes.unicode_minus": False}
    with matplotlib.rc_context(style):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, name in {**_INKS, **_SERIES}.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 system-ui, sans-serif", svg)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1))
