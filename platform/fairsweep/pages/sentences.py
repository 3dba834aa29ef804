"""Say in sentences what the metrics say: the report's first screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from fairsweep.pages.values import in_unit, percent

PROMPTS_SAID = 2
LEVEL = 0.05
# How the metrics begin to say that a classifier cannot tell a declared group.
NOT_MEASURED = "not measured"
# Below this kappa two classifiers agree hardly better than chance would (Landis & Koch, Biometrics 33, 1977).
CONTRADICTION = 0.4

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


def unfinished(extent: dict) -> str:
    """Say that images are still to be made, of which nothing else speaks; empty where none is.

    extent: images_planned, images_made and images_pending, which have not even failed.
    """
    if not extent["images_pending"]:
        return ""
    return f"Unfinished: {extent['images_made']:,} of {extent['images_planned']:,} images are made. "


def headline(cells: Rows) -> str:
    """Return the answer in one sentence: who reads it, and on how many prompts each model was found off target.

    cells: model, setting, baseline, attribute, classifier, prompts, prompts_off_target, prompts_not_decided,
    images_per_prompt, unseen, least_difference, cell_q, reason and each measure with its bounds, of every cell.
    """
    chosen = best(cells)
    if chosen is None:
        reasons = sorted({row["reason"] for row in cells if (row["reason"] or "").startswith(NOT_MEASURED)})
        if reasons:
            return f"Nothing can be said of the targets: {'; '.join(reasons)}."
        return "No image shows a declared group so far." if cells else "Nothing is labelled yet."
    models = _leading(measured(cells), chosen)
    own = models.pop(chosen["model"])
    first = own[0]
    text = f"The model {chosen['model']}, as read by the classifier {first['classifier']}, is found off its "
    text += f"{_name(first)} target on {_counts(own)}"
    if not any(_same(row, chosen) for row in own):
        text += f"; with {chosen['setting']} that is not measured yet"
    for model, rows in models.items():
        text += f"; {model} " + ", ".join(f"on {_count(row)}{_of(row, first)} {_how(row)}" for row in rows)
    return text + "."


def limits(cells: Rows) -> str:
    """Return what the images of the headline could not have shown, and what all prompts show together."""
    chosen = best(cells)
    if chosen is None:
        return ""
    rows = _leading(measured(cells), chosen)[chosen["model"]]
    most, fewest = (choose(row[name] for row in rows) for choose, name in ((max, "images_per_prompt"), (min, "fewest")))
    text = (
        f"{most if fewest == most else f'{fewest} to {most}'} image{'s' if most != 1 else ''} of a prompt and setting"
    )
    missed = [row for row in rows if (row["prompts_off_target"] or 0) < row["prompts"]]
    differences = [row["least_difference"] for row in missed if row["least_difference"] is not None]
    if differences:
        text += f": a difference below {100 * min(differences):.0f} points could not have been found"
    elif missed:
        text += ": too few to find any prompt off target"
    for row in missed:
        if not row["prompts_off_target"] and row["cell_q"] is not None and row["cell_q"] <= LEVEL:
            text += f". All prompts together are off target {_how(row)} (q = {row['cell_q']:.2g})"
    return text + "."


def grown(resolved: dict) -> str:
    """Say of a fixed sweep to which seeds were added that its intervals do not allow for a look in between."""
    before = resolved.get("seeds_before")
    if not before:
        return ""
    counts = ", then ".join(map(str, [*before, len(resolved["spec"]["seeds"])]))
    return (
        f"Seeds were added to {resolved['spec']['name']} ({counts}): its intervals hold for a number of seeds that was "
        "fixed beforehand, and do not allow for adding some because of what was seen. The metric share_anytime does."
    )


def _leading(cells: Rows, chosen: dict) -> dict[str, Rows]:
    """Return each model's unguided and chosen cell, the chosen model's first, of the attribute that misses most."""
    shown = [row for row in cells if row["baseline"] or row["setting"] == chosen["setting"]]
    own = [row for row in shown if row["model"] == chosen["model"]]
    attribute = max(own, key=lambda row: (row["prompts_off_target"] or 0, row["distance"]))["attribute"]
    models: dict[str, Rows] = {chosen["model"]: []}
    for row in sorted(shown, key=lambda row: not row["baseline"]):
        if row["attribute"] == attribute:
            models.setdefault(row["model"], []).append(row)
    return models


def _count(row: dict) -> str:
    return str(row["prompts_off_target"] or "none")


def _counts(rows: Rows) -> str:
    """Say on how many prompts each row was found off target, and of how many where that is not said before."""
    first, *others = rows
    text = f"{_count(first)} of {first['prompts']} prompts {_how(first)}"
    return text + "".join(f", on {_count(row)}{_of(row, first)} {_how(row)}{_open(row)}" for row in others)


def _of(row: dict, first: dict) -> str:
    return "" if row["prompts"] == first["prompts"] else f" of {row['prompts']}"


def _open(row: dict) -> str:
    return " (nothing is decided)" if row["prompts_not_decided"] == row["prompts"] else ""


def _how(row: dict) -> str:
    return "unguided" if row["baseline"] else f"with {row['setting']}"


def sentences(
    cells: Rows, shares: Rows, agreement: Sequence[dict] = (), comparison: Sequence[dict] = ()
) -> list[Finding]:
    """Return the findings about the fairest guided cell.

    cells: as `headline`; shares: attribute, group, prompt_name, model, setting, baseline, share, low, high,
    target, the prompts furthest from their target first; agreement: attribute, classifier, other_classifier, kappa and
    its bounds; comparison: setting, model, versus, attribute, group, difference and its bounds, the largest first.
    """
    chosen = best(cells)
    if chosen is None:
        return _unmeasured(cells)
    mine = [row for row in cells if row["model"] == chosen["model"] and (row["baseline"] or _same(row, chosen))]
    found = _contradictions(agreement) + _unmeasured(cells)
    guided = {(row["model"], row["setting"]) for row in measured(cells) if not row["baseline"]}
    for attribute in sorted({row["attribute"] for row in measured(mine)}):
        pair = {row["baseline"]: row for row in measured(mine) if row["attribute"] == attribute}
        found.append(_distance(attribute.replace("_", " "), pair.get(True), pair.get(False), len(guided)))
        found += _undecided(list(pair.values()))
        rows = [row for row in shares if row["attribute"] == attribute and row["model"] == chosen["model"]]
        found += _prompts([row for row in rows if row["baseline"] or _same(row, chosen)])
    found += _models(comparison, chosen)
    least_seen = max(mine, key=lambda row: row["missing"] or 0)["attribute"]
    return found + _cost({row["baseline"]: row for row in mine if row["attribute"] == least_seen})


def _contradictions(agreement: Sequence[dict]) -> list[Finding]:
    return [
        Finding(
            f"{row['classifier']} and {row['other_classifier']} contradict each other on {_name(row)}: kappa "
            f"{_value(row, 'kappa')} where 1 is agreement and 0 chance. What follows is one reading among two.",
            "bad",
        )
        for row in agreement
        if row["kappa"] is not None and row["kappa"] < CONTRADICTION
    ]


def _unmeasured(cells: Rows) -> list[Finding]:
    return [Finding(f"{row['model']}, {row['setting']}: {_unseen(row)}.") for row in cells if row["distance"] is None]


def _unseen(row: dict) -> str:
    reason = row["reason"] or ""
    if reason.startswith(NOT_MEASURED):
        return f"{_name(row)} is {reason}"
    return f"no image has a recognised {_name(row)} so far"


def _undecided(rows: Rows) -> list[Finding]:
    return [
        Finding(
            f"Nothing is decided on {row['prompts_not_decided']} of {row['prompts']} prompts {_how(row)}, for want of "
            "images or of images with a group.",
            detail=True,
        )
        for row in rows
        if row["prompts_not_decided"]
    ]


def _distance(attribute: str, before: dict | None, after: dict | None, settings: int) -> Finding:
    if before is None or after is None:
        (row,) = filter(None, (before, after))
        return Finding(
            f"{attribute}: mean distance to target {_distance_of(row)} {_how(row)}; off target on {_counts([row])}."
        )
    text = (
        f"{attribute}: mean distance to target {_distance_of(before)} unguided, "
        f"{_distance_of(after)} with {after['setting']}; "
        f"off target on {_counts([before, after])}."
    )
    if after["change_low"] is None:
        return Finding(text)
    # The change is resampled over seeds that both share: two intervals side by side would miss what it shows.
    low, high = _simultaneous(after, "change", settings)
    return Finding(text, "good" if high < 0 else "bad" if low > 0 else "plain")


def _simultaneous(row: dict, name: str, ways: int) -> tuple[float, float]:
    """Return a row's bounds widened to hold for all of so many settings, of which the data picked one (Bonferroni)."""
    wider = NormalDist().inv_cdf(1 - LEVEL / (2 * max(1, ways))) / NormalDist().inv_cdf(1 - LEVEL / 2)
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return value - wider * (value - low), value + wider * (high - value)


def _prompts(rows: Rows) -> list[Finding]:
    """Name the first prompts, each with the group that is furthest above its target."""
    found = []
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
        # The prompts come by how far they are off: their own intervals do not allow for that.
        found.append(Finding(text + ".", detail=True))
    return found


def _models(comparison: Sequence[dict], chosen: dict) -> list[Finding]:
    """Set the chosen model beside each other one, by the group that they differ in most, at its own setting first."""
    found = []
    for other in dict.fromkeys(name for row in comparison for name in (row["model"], row["versus"])):
        rows = [row for row in comparison if {row["model"], row["versus"]} == {chosen["model"], other}]
        rows = [row for row in rows if row["attribute"] == chosen["attribute"]]
        if not rows:
            continue
        row = max(rows, key=lambda row: (row["setting"] == chosen["setting"], abs(row["difference"])))
        interval = ""
        if row["difference_low"] is not None:
            interval = f" [{100 * row['difference_low']:.0f}, {100 * row['difference_high']:.0f}]"
        found.append(
            Finding(
                f"{row['model']} shows {row['group']} {percent(row['share'])}, {row['versus']} "
                f"{percent(row['other_share'])} ({row['setting']}): on the same prompts and seeds a difference of "
                f"{100 * row['difference']:.0f}{interval} points."
            )
        )
    return found


def _cost(pair: dict[bool, dict]) -> list[Finding]:
    if len(pair) < 2:
        return []
    before, after = pair[True], pair[False]
    name = after["setting"]
    found = []
    if after["scene_kept"] is not None:
        floor = (
            ""
            if after["scene_floor"] is None
            else f", where another seed's has {after['scene_floor']:.2f} and itself 1"
        )
        found.append(
            f"Scene kept: cosine {_value(after, 'scene_kept')} between the images of {name} and the unguided "
            f"ones of their seeds{floor}."
        )
    if after["images_per_second"] is not None and before["images_per_second"] is not None:
        found.append(
            f"Cost: a device makes {before['images_per_second']:.3g} images per second unguided, "
            f"{after['images_per_second']:.3g} with {name}."
        )
    found.append(
        f"Images without a recognised {_name(before)}: "
        f"{in_unit(before['missing'], 'missing')} unguided, {in_unit(after['missing'], 'missing')} with {name}."
    )
    return [Finding(text, "cost") for text in found]


def _same(row: dict, cell: dict) -> bool:
    return (row["model"], row["setting"]) == (cell["model"], cell["setting"])


def _name(row: dict) -> str:
    return row["attribute"].replace("_", " ")


def _share(row: dict) -> str:
    return f"{percent(row['share'])} [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"


def _distance_of(row: dict) -> str:
    low, high = row["distance_low"], row["distance_high"]
    ends = "" if low is None or high is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
    # Prompts of which no image shows a group have no distance.
    over = f" over {row['prompts'] - row['unseen']} of {row['prompts']} prompts" if row["unseen"] else ""
    return percent(row["distance"]) + ends + over


def _value(row: dict, name: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "unknown"
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
