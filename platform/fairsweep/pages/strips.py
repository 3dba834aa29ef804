"""Arrange rows for the strips that the templates draw: shares per prompt, and values with intervals per row."""

from collections.abc import Iterable, Sequence

from fairsweep.pages.values import percent


def share_plots(rows: Iterable[dict]) -> list[dict]:
    """Arrange rows of `share` as one dot plot per attribute, in the order of the rows.

    rows: attribute, classifier, group, prompt_name, model, setting, baseline, share, low, high, target, n. A plot
    has its `groups` (of two the first alone, since the other is its complement), their `targets`, per prompt and
    group its rows, the `classifiers` and counts `n` of all of them, and whether any is `guided`.
    """
    plots: dict[str, dict] = {}
    for row in rows:
        plot = plots.setdefault(row["attribute"], {"attribute": row["attribute"], "targets": {}, "prompts": {}})
        plot["targets"].setdefault(row["group"], row["target"])
        plot["prompts"].setdefault(row["prompt_name"], {}).setdefault(row["group"], []).append(row)
    for plot in plots.values():
        groups = list(plot["targets"])
        plot["groups"] = groups[:1] if len(groups) == 2 else groups
        records = [row for by_group in plot["prompts"].values() for settings in by_group.values() for row in settings]
        plot["classifiers"] = list(dict.fromkeys(row["classifier"] for row in records))
        plot["n"] = sorted({row["n"] for row in records})
        plot["guided"] = any(not row["baseline"] for row in records)
    return list(plots.values())


def variable_plots(rows: Iterable[dict]) -> list[dict]:
    """Arrange rows of `share_by_variable` as share plots whose lines are the values of a variable, each named by it.

    rows: as those of `share`, with a value of the variable as their prompt_name; and variable, prompts.
    """
    by_variable: dict[str, list[dict]] = {}
    for row in rows:
        by_variable.setdefault(row["variable"], []).append(row)
    return [
        {**plot, "variable": variable, "each": sorted({row["prompts"] for row in own if row["prompts"]})}
        for variable, own in by_variable.items()
        for plot in share_plots(own)
    ]


def before(rows: Sequence[dict], row: dict) -> dict | None:
    """Return the unguided row of a row's model among those of its prompt and group; None where it has no share."""
    return next(
        (each for each in rows if each["baseline"] and each["model"] == row["model"] and each["share"] is not None),
        None,
    )


def ranges(leaderboard: Sequence[dict], obeyed: Sequence[dict], kept: Sequence[dict]) -> list[dict]:
    """Return what the page shows as rows of one value with its interval, a plot a question.

    leaderboard: setting, attribute, model, distance and its bounds, place, best, worst; obeyed: model, setting,
    attribute, obeyed and its bounds; kept: model, setting, attribute, before, n, images, became, kept and its bounds.
    A plot has a title, what its values are (`axis`), the `query` that gave them, and rows of label, value, low, high
    and note.
    """
    plots: dict[tuple, dict] = {}

    def add(query: str, title: str, axis: str, label: str, row: dict, name: str, note: str = "") -> None:
        plot = plots.setdefault((query, title), {"query": query, "title": title, "axis": axis, "rows": []})
        bounds = {end: row[f"{name}_{end}"] for end in ("low", "high")}
        plot["rows"].append({"label": label, "value": row[name], **bounds, "note": note})

    for row in leaderboard:
        title = f"{_spaced(row['attribute'])}, {row['setting']}: models by distance to target"
        place = str(row["best"]) if row["best"] == row["worst"] else f"{row['best']} to {row['worst']}"
        axis = "distance to target, without what chance adds (left: fairer)"
        add("leaderboard", title, axis, row["model"], row, "distance", f"place {place}")
    for row in obeyed:
        title = f"{_spaced(row['attribute'])}: prompts that name a group get it"
        add("obeyed", title, "images that show what was named", f"{row['model']}, {row['setting']}", row, "obeyed")
    for row in kept:
        title = f"{_spaced(row['attribute'])}: pictures of {_spaced(row['before'])} that stay so when edited"
        note = f"{row['n']} of {row['images']}" + (f"; {_spaced(row['became'])}" if row["became"] else "")
        label = f"{row['model']}, {row['setting']}"
        add("kept", title, "images that keep their picture's group", label, row, "kept", note)
    for plot in plots.values():
        plot["rows"] = [{**row, "text": percent(row["value"])} for row in plot["rows"]]
    return list(plots.values())


def _spaced(name: str) -> str:
    return name.replace("_", " ")
