"""Say in sentences what the metrics say: the report's first screen."""

from dataclasses import dataclass

from fairsweep.pages.figures import percent

PROMPTS_SAID = 2

Rows = list[dict]


@dataclass(frozen=True)
class Finding:
    """One sentence, and its kind: "good", "bad", "cost", or "plain"; a `detail` belongs to the one before."""

    text: str
    kind: str = "plain"
    detail: bool = False


def measured(rows: Rows) -> Rows:
    """Return the rows that have a distance: those of a cell whose attribute was recognised in some image."""
    return [row for row in rows if row["distance"] is not None]


def best(cells: Rows) -> dict | None:
    """Return the first measured row of the fairest guided cell, else of the fairest cell; rows come fairest first."""
    cells = measured(cells)
    return next((row for row in cells if not row["baseline"]), cells[0] if cells else None)


def headline(cells: Rows) -> str:
    """Return the answer in one sentence."""
    cells = measured(cells)
    choice = best(cells)
    if choice is None:
        return "Nothing is labelled yet."
    before = {row["attribute"]: row for row in cells if row["baseline"] and row["model"] == choice["model"]}
    after = {row["attribute"]: row for row in cells if _same(row, choice)}
    worst = max((before or after).values(), key=lambda row: (row["prompts_off_target"] or 0, row["distance"] or 0))
    name = worst["attribute"].replace("_", " ")
    place = f"its {name} target on {worst['prompts_off_target']} of {worst['prompts']} prompts"
    if not any(row["prompts_off_target"] for row in [*before.values(), *after.values()]):
        how = "" if choice["baseline"] else f"{' unguided or' if before else ''} with {choice['setting']}"
        return f"No prompt of {choice['model']} differs from its targets beyond chance{',' if how else ''}{how}."
    if choice["baseline"] or not before:
        how = "" if choice["baseline"] else f"With {choice['setting']}, "
        return f"{how}{choice['model']} misses {place}."
    if worst["attribute"] not in after:
        return f"Unguided, {choice['model']} misses {place}; with {choice['setting']}, that is not measured yet."
    left = after[worst["attribute"]]["prompts_off_target"]
    return f"Unguided, {choice['model']} misses {place}; with {choice['setting']}, on {left or 'none'}."


def sentences(cells: Rows, shares: Rows) -> list[Finding]:
    """Return the findings about the fairest guided cell.

    cells: as `headline`; shares: attribute, group, prompt_name, model, setting, baseline, share, low, high,
    target, the prompts furthest from their target first.
    """
    choice = best(cells)
    if choice is None:
        return _unmeasured(cells)
    mine = [row for row in cells if row["model"] == choice["model"] and (row["baseline"] or _same(row, choice))]
    findings = _unmeasured(cells)
    for attribute in sorted({row["attribute"] for row in measured(mine)}):
        pair = {row["baseline"]: row for row in measured(mine) if row["attribute"] == attribute}
        findings.append(_distance(attribute.replace("_", " "), pair.get(True), pair.get(False)))
        rows = [row for row in shares if row["attribute"] == attribute and row["model"] == choice["model"]]
        findings += _prompts([row for row in rows if row["baseline"] or _same(row, choice)])
    least_seen = max(mine, key=lambda row: row["missing"] or 0)["attribute"]
    return findings + _cost({row["baseline"]: row for row in mine if row["attribute"] == least_seen})


def _unmeasured(cells: Rows) -> list[Finding]:
    return [
        Finding(
            f"{row['model']}, {row['setting']}: no image has a recognised {row['attribute'].replace('_', ' ')} so far."
        )
        for row in cells
        if row["distance"] is None
    ]


def _distance(attribute: str, before: dict | None, after: dict | None) -> Finding:
    if before is None or after is None:
        (row,) = filter(None, (before, after))
        how = "unguided" if row["baseline"] else f"with {row['setting']}"
        return Finding(f"{attribute}: mean distance to target {_value(row, 'distance')} {how}.")
    text = (
        f"{attribute}: mean distance to target {_value(before, 'distance')} unguided, "
        f"{_value(after, 'distance')} with {after['setting']}."
    )
    if after["change_low"] is None:
        return Finding(text)
    # The change is resampled over seeds that both share: two intervals side by side would miss what it shows.
    return Finding(text, "good" if after["change_high"] < 0 else "bad" if after["change_low"] > 0 else "plain")


def _prompts(rows: Rows) -> list[Finding]:
    """Name the first prompts, each with the group that is furthest above its target."""
    findings = []
    for prompt in list(dict.fromkeys(row["prompt_name"] for row in rows))[:PROMPTS_SAID]:
        drawn = [row for row in rows if row["prompt_name"] == prompt and row["share"] is not None]
        start = [row for row in drawn if row["baseline"]] or drawn
        if not start:
            continue
        most = max(start, key=lambda row: row["share"] - row["target"])
        text = f"{prompt}: {_share(most)} {most['group']}, target {percent(most['target'])}"
        guided = [row for row in drawn if not row["baseline"] and row["group"] == most["group"]]
        last = guided[0] if guided else most
        if most["baseline"] and guided:
            text += f"; with {last['setting']} {_share(last)}"
        kind = "plain" if last["low"] <= last["target"] <= last["high"] else "bad"
        findings.append(Finding(text + ".", kind, detail=True))
    return findings


def _cost(pair: dict[bool, dict]) -> list[Finding]:
    if len(pair) < 2:
        return []
    before, after = pair[True], pair[False]
    name = after["setting"]
    texts = []
    if after["scene_kept"] is not None:
        texts.append(
            f"Scene kept: cosine {_value(after, 'scene_kept')} between the images of {name} and the unguided ones."
        )
    if after["images_per_second"] is not None and before["images_per_second"] is not None:
        texts.append(
            f"Cost: a device makes {before['images_per_second']:.3g} images per second unguided, "
            f"{after['images_per_second']:.3g} with {name}."
        )
    texts.append(
        f"Images without a recognised {before['attribute'].replace('_', ' ')}: "
        f"{percent(before['missing'], 1)} unguided, {percent(after['missing'], 1)} with {name}."
    )
    return [Finding(text, "cost") for text in texts]


def _same(row: dict, cell: dict) -> bool:
    return (row["model"], row["setting"]) == (cell["model"], cell["setting"])


def _share(row: dict) -> str:
    return f"{percent(row['share'])} [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"


def _value(row: dict, name: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "unknown"
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
