"""What a sweep must show to pass: bounds on metrics, judged by the metrics' intervals and by nothing surer."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import duckdb
from pydantic import Field, model_validator

from fairsweep.attributes import AttributeSpec, Frozen, Name
from fairsweep.errors import near
from fairsweep.measure.catalogue import describe
from fairsweep.measure.metrics import CELL, Metric, list_metrics
from fairsweep.measure.sql import rows
from fairsweep.mistakes import mistake

# The intervals' level: the chance that both ends together leave the truth outside.
_LEVEL = 0.05
# Beyond it no number of images is a plan: the value lies on its bound.
_MOST_TIMES = 1000

Outcome = Literal["pass", "fail", "undecided"]


class Requirement(Frozen):
    """A bound on one metric of one attribute, in every cell that it names or prompt by prompt."""

    metric: str = Field(description="any shipped metric with an interval: total_variation, mean_share, share, ...")
    attribute: Name = Field(description="a declared attribute")
    group: Name | None = Field(default=None, description="of metrics that tell a figure per group")
    at_most: float | None = Field(default=None, allow_inf_nan=False, description="the bound from above; or at_least")
    at_least: float | None = Field(default=None, allow_inf_nan=False, description="the bound from below; or at_most")
    per: Literal["cell", "prompt"] = Field(
        default="cell", description="cell: of all prompts together; prompt: each of them has to pass"
    )
    models: tuple[Name, ...] | None = Field(default=None, description="silent: every one")
    settings: tuple[Name, ...] | None = Field(default=None, description="silent: every one")
    classifier: Name | None = Field(default=None, description="silent: the first that reads the attribute")

    @model_validator(mode="after")
    def _check(self):
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give one bound: at_most or at_least")
        return self

    def check(
        self,
        attributes: Mapping[str, AttributeSpec],
        models: Collection[str],
        settings: Collection[str],
        classifiers: Collection[str],
    ) -> None:
        """Refuse what the sweep does not have, and a metric that cannot be judged."""
        named = {
            "metric": ((self.metric,), [metric.name for metric in list_metrics()]),
            "attribute": ((self.attribute,), attributes),
            "group": ((self.group,) if self.group else (), getattr(attributes.get(self.attribute), "groups", ())),
            "models": (self.models or (), models),
            "settings": (self.settings or (), settings),
            "classifier": ((self.classifier,) if self.classifier else (), classifiers),
        }
        for key, (names, declared) in named.items():
            for name in names:
                if name not in declared:
                    raise mistake(f"there is no {key.removesuffix('s')} {name!r}{near(name, declared)}", key)
        grain = {*re.findall(r"\w+", _metric(self).grain)}
        rows_wanted = {*CELL, *(["prompt"] if self.per == "prompt" else [])}
        (shape,) = describe(_view(self))
        columns = {name for name, _ in shape}
        if not {*_ends(self), self.metric} <= columns or not (_is_mean(self) or grain - {"group"} == rows_wanted):
            where = "per prompt" if self.per == "prompt" else "over all prompts"
            raise mistake(f"{self.metric} has no interval {where}: see `fairsweep metrics {self.metric}`", "metric")
        if ("group" in grain) != (self.group is not None):
            says = "tells a figure per group: name a group" if self.group is None else "tells no figure per group"
            raise mistake(f"{self.metric} {says}", "group")

    @property
    def text(self) -> str:
        """Return the requirement in words."""
        what = f"{self.metric} of {self.attribute}" + (f" = {self.group}" if self.group else "")
        bound = f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"
        return f"{what} {bound}" + (" on every prompt" if self.per == "prompt" else "")


@dataclass(frozen=True)
class Verdict:
    """What the images say of a requirement in one cell.

    value, low, high: of the cell; with a requirement per prompt those of the prompt that decides.
    more: images that would decide it, if the figure stays where it is; None where decided, or where none would.
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
        if self.verdict == "undecided":
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
    either is wrong in at most 2.5 % of sweeps. Per prompt it passes where each prompt does, and fails where one does
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
    low, high = _ends(requirement)
    columns = {row[0] for row in connection.execute(f'describe "{_view(requirement)}"').fetchall()}
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
            "{figure}" as value, {low} as low, {high} as high
        from "{_view(requirement)}" join drawn using (model, setting{grain}, attribute, classifier)
        where sweep = $sweep and attribute = $attribute {'and "group" = $group' if requirement.group else ""}
        order by all"""
    values = {"sweep": sweep, "attribute": requirement.attribute}
    if requirement.group:
        values["group"] = requirement.group
    return rows(connection.execute(query, values))


def _metric(requirement: Requirement) -> Metric:
    return next(metric for metric in list_metrics() if metric.name == requirement.metric)


def _is_mean(requirement: Requirement) -> bool:
    """Tell whether the figure is the mean over prompts of what the metric tells of each, which `summary` has."""
    return requirement.per == "cell" and requirement.metric in _metric(requirement).means


def _view(requirement: Requirement) -> str:
    return "summary" if _is_mean(requirement) else requirement.metric


def _ends(requirement: Requirement) -> tuple[str, str]:
    if _is_mean(requirement):
        return f"{requirement.metric}_low", f"{requirement.metric}_high"
    return "low", "high"


def _decide(requirement: Requirement, model: str, setting: str, figures: list[dict]) -> Verdict:
    measured = [_turned(requirement, row) for row in figures if row["low"] is not None and row["high"] is not None]
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
