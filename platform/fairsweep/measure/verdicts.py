"""Whether a sweep shows what is required of it, judged by the metrics' intervals and by nothing surer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import duckdb

from fairsweep.measure.requirements import Requirement
from fairsweep.measure.sql import rows

# The intervals' level: the chance that both ends together leave the truth outside.
_LEVEL = 0.05
# Beyond it no number of images is a plan: the value lies on its bound.
_MOST_TIMES = 1000

Outcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What the images say of a requirement in one cell.

    value, low, high: of the cell; with a requirement per prompt those of the prompt that decides.
    more: images that would decide it, if the figure stays where it is; None where decided, or where none would; 0 where
    it is not the interval that leaves it open.
    """

    requirement: str
    model: str
    setting: str
    verdict: Outcome
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    more: int | None = None

    @property
    def evidence(self) -> str:
        """Return in words what the verdict stands on."""
        if self.value is None:
            return self.reason
        text = f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"
        if self.reason:
            text += f", {self.reason}"
        if self.verdict == "undecided" and self.more != 0:
            text += "; "
            text += (
                "too near the bound for any number of images"
                if self.more is None
                else (f"some {self.more:,} more images would decide it")
            )
        return text


def overall(verdicts: Iterable[Verdict]) -> Outcome:
    """Return what all verdicts say together: the worst of them."""
    outcomes = {each.verdict for each in verdicts}
    return "fail" if "fail" in outcomes else "undecided" if "undecided" in outcomes else "pass"


def verdicts(connection: duckdb.DuckDBPyConnection, sweep: str, spec: dict) -> list[Verdict]:
    """Judge what the spec of a sweep requires, as the store keeps it resolved; nothing where it requires nothing."""
    requirements = [Requirement.model_validate(each) for each in spec.get("require", ())]
    return judge(connection, sweep, requirements, [each["name"] for each in spec.get("classifiers", ())])


def judge(
    connection: duckdb.DuckDBPyConnection, sweep: str, requirements: Iterable[Requirement], classifiers: Sequence[str]
) -> list[Verdict]:
    """Judge every requirement in every cell of a sweep that it names; the connection has the store's views.

    classifiers: of the sweep, in its order.
    A requirement passes where the whole interval is inside the bound and fails where the whole interval is outside:
    either is wrong in about 2.5 % of sweeps. Per prompt it passes where each prompt does, and fails where one does
    with the interval widened, by Bonferroni's bound and the normal distribution's quantiles, to hold on all prompts
    together.
    """
    return [verdict for requirement in requirements for verdict in _judged(connection, sweep, requirement, classifiers)]


def _judged(
    connection: duckdb.DuckDBPyConnection, sweep: str, requirement: Requirement, classifiers: Sequence[str]
) -> Iterator[Verdict]:
    cells = rows(
        connection.execute(
            "select model, setting from settings where sweep = ? order by model, baseline desc, setting", [sweep]
        )
    )
    figures = _figures(connection, sweep, requirement)
    readers = {row["classifier"] for row in figures}
    order = [name for name in [*classifiers, *sorted(readers)] if name in readers]
    reader = requirement.classifier or next(iter(order), None)
    figures = [row for row in figures if row["classifier"] == reader]
    for cell in cells:
        model, setting = cell["model"], cell["setting"]
        if model in (requirement.models or [model]) and setting in (requirement.settings or [setting]):
            own = [row for row in figures if (row["model"], row["setting"]) == (model, setting)]
            yield _decide(requirement, model, setting, own)


def _figures(connection: duckdb.DuckDBPyConnection, sweep: str, requirement: Requirement) -> list[dict]:
    """Return value, low, high and images of each cell, or of each prompt of it, by every classifier."""
    low, high = requirement.ends
    columns = {row[0] for row in connection.execute(f'describe "{requirement.view}"').fetchall()}
    # A distance from few images is too far by what chance alone adds to it.
    corrected = f"{requirement.metric}_without_chance"
    figure = corrected if corrected in columns else requirement.metric
    prompt = "prompt_name" if requirement.per == "prompt" else "null"
    grain = ", prompt_name" if requirement.per == "prompt" else ""
    query = f"""
        with drawn as (
            select model, setting{grain}, attribute, classifier, sum(images) as images
            from (
                select distinct model, setting, prompt_name, attribute, classifier, images from share
                where sweep = $sweep
            )
            group by all
        )
        select model, setting, {prompt} as prompt, classifier, drawn.images,
            "{figure}" as value, {low} as low, {high} as high, coalesce(unseen, 0) as unseen
        from "{requirement.view}" join drawn using (model, setting{grain}, attribute, classifier)
        left join ({_unseen(connection, requirement)}) using (model, setting, classifier)
        where sweep = $sweep and attribute = $attribute {'and "group" = $group' if requirement.group else ""}
        order by all"""
    values = {"sweep": sweep, "attribute": requirement.attribute}
    if requirement.group:
        values["group"] = requirement.group
    return rows(connection.execute(query, values))


def _unseen(connection: duckdb.DuckDBPyConnection, requirement: Requirement) -> str:
    """Return SQL of how many prompts of each cell have no figure: a mean over the others says nothing of them."""
    own = {row[0] for row in connection.execute(f'describe "{requirement.metric}"').fetchall()}
    source = requirement.metric if {"prompt", "attribute"} <= own else "share"
    # What is no figure of an attribute has one of every image.
    counted = requirement.per == "cell" and ("prompt" not in own or source != "share")
    return f"""
        select model, setting, classifier, count(distinct prompt) filter ({counted} and "{source}" is null) as unseen
        from "{source}" where sweep = $sweep and attribute = $attribute group by all"""


def _decide(requirement: Requirement, model: str, setting: str, figures: list[dict]) -> Verdict:
    measured = [_turned(requirement, row) for row in figures if None not in (row["value"], row["low"], row["high"])]
    text = requirement.text
    if not measured:
        reason = "these images give no interval of it" if figures else "nothing is measured yet"
        return Verdict(text, model, setting, "undecided", reason)
    # Of how many normal deviations an interval is that holds on all prompts together, against one that holds on one.
    wider = NormalDist().inv_cdf(1 - _LEVEL / 2 / len(measured)) / NormalDist().inv_cdf(1 - _LEVEL / 2)
    over = [row for row in measured if row["value"] - (row["value"] - row["low"]) * wider > 0]
    missing = len(figures) - len(measured)
    if over:
        worst = max(over, key=lambda row: row["low"])
        return _verdict(requirement, model, setting, "fail", worst, f"so on {len(over)} of {len(figures)} prompts")
    if unseen := figures[0]["unseen"]:
        reason = f"{unseen} of its prompts {'has' if unseen == 1 else 'have'} no figure"
        return replace(_verdict(requirement, model, setting, "undecided", measured[0], "", 0), reason=reason)
    within = [row for row in measured if row["high"] <= 0]
    worst = max(measured, key=lambda row: row["high"])
    if len(within) == len(figures):
        return _verdict(requirement, model, setting, "pass", worst, f"so on all {len(figures)} prompts")
    reason = f"decided on {len(within)} of {len(figures)} prompts"
    if missing:
        reason += f", {missing} without an interval"
    return _verdict(requirement, model, setting, "undecided", worst, reason, _more(measured, wider))


def _turned(requirement: Requirement, row: dict) -> dict:
    """Return a figure as its way beyond the bound: above 0 it breaks the requirement, with the sides exchanged."""
    low, high = row["low"], row["high"]
    if requirement.at_most is not None:
        turned = {"value": row["value"] - requirement.at_most, "low": low - requirement.at_most}
        turned["high"] = high - requirement.at_most
    else:
        assert requirement.at_least is not None
        turned = {"value": requirement.at_least - row["value"], "low": requirement.at_least - high}
        turned["high"] = requirement.at_least - low
    # Per prompt a distance stands as drawn, which may be outside the interval of the true one.
    turned["value"] = min(max(turned["value"], turned["low"]), turned["high"])
    return {**turned, "images": row["images"], "row": row}


def _more(measured: list[dict], wider: float) -> int | None:
    """Return the images that would decide every figure, if each stays where it is: intervals shrink with their root."""
    more = 0
    for row in measured:
        if row["high"] <= 0:
            continue
        reach = row["high"] - row["value"] if row["value"] <= 0 else (row["value"] - row["low"]) * wider
        # Wide in images that it takes: the square of how often the interval is too wide.
        if abs(row["value"]) * _MOST_TIMES**0.5 <= reach:
            return None
        more += int(row["images"] * ((reach / row["value"]) ** 2 - 1)) + 1
    return more


def _verdict(
    requirement: Requirement,
    model: str,
    setting: str,
    verdict: Outcome,
    turned: dict,
    prompts: str,
    more: int | None = None,
) -> Verdict:
    row = turned["row"]
    reason = f"the farthest of them, {row['prompt']}; {prompts}" if requirement.per == "prompt" else ""
    # What chance adds to a distance is an estimate too, and may be more than the distance that was drawn.
    value = min(max(row["value"], row["low"]), row["high"])
    return Verdict(requirement.text, model, setting, verdict, reason, value, row["low"], row["high"], more)
