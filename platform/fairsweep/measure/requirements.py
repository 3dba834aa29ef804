"""What a sweep must show to pass: bounds on metrics."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Literal

from pydantic import Field, model_validator

from fairsweep.attributes import AttributeSpec, Frozen, Name
from fairsweep.errors import near
from fairsweep.measure.catalogue import describe
from fairsweep.measure.metrics import CELL, Metric, list_metrics
from fairsweep.mistakes import mistake


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
            "metric": ((self.metric,), _metrics()),
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
        grain = {*re.findall(r"\w+", self._metric.grain)}
        rows_wanted = {*CELL, *(["prompt"] if self.per == "prompt" else [])}
        (shape,) = describe(self.view)
        columns = {name for name, _ in shape}
        if not {*self.ends, self.metric} <= columns or not (self._is_mean or grain - {"group"} == rows_wanted):
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

    @property
    def view(self) -> str:
        """Return the view with the figure: `summary` has the means over prompts of what metrics tell of each."""
        return "summary" if self._is_mean else self.metric

    @property
    def ends(self) -> tuple[str, str]:
        """Return the columns of the figure's interval."""
        return (f"{self.metric}_low", f"{self.metric}_high") if self._is_mean else ("low", "high")

    @property
    def _is_mean(self) -> bool:
        return self.per == "cell" and self.metric in self._metric.means

    @property
    def _metric(self) -> Metric:
        return _metrics()[self.metric]


@cache
def _metrics() -> dict[str, Metric]:
    """Return the shipped metrics by name: a requirement asks for its own again and again."""
    return {metric.name: metric for metric in list_metrics()}
