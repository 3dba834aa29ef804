"""Whether a target asks for less parity than the model has without guidance: then somebody must have meant it."""

from collections.abc import Iterable, Iterator

from duckdb import DuckDBPyConnection

from fairsweep.plan.decisions import SKEW, Decision, about, evidence, rule
from fairsweep.plan.declared import readings
from fairsweep.plan.identity import model_identity
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec

FARTHER, NEARER = "farther from parity", "no farther from parity"


class Skew:
    """What is decided about the settings that steer to unequal shares, beside images without guidance."""

    def __init__(self, spec: SweepSpec, decisions: Iterable[Decision] = ()):
        self.spec = spec
        self._rules = {
            (model.name, setting.name): _rule(spec, model)
            for model in spec.models
            for setting in spec.guidance
            if self.attributes(setting)
        }
        self._made: dict[tuple[str, str], dict[str, Decision]] = {}
        for each in decisions:
            if each.kind == SKEW and self._rules.get((each.model, each.setting)) == each.rule:
                self._made.setdefault((each.model, each.setting), {})[each.attribute] = each

    @property
    def asked(self) -> bool:
        """Tell whether any setting steers to unequal shares."""
        return bool(self._rules)

    def attributes(self, setting: GuidanceSpec) -> list[str]:
        """Return the attributes that a setting steers to unequal shares, where unguided images are there to compare."""
        if not setting.uses_direction or not any(each.method == "none" for each in self.spec.guidance):
            return []
        targets = {name: list(self.spec.attributes[name].target.values()) for name in setting.attributes}
        return [name for name, shares in targets.items() if max(shares) - min(shares) > 1e-6]

    def waits(self, setting: GuidanceSpec) -> bool:
        """Tell whether a setting begins a round later, once the unguided images have been looked at."""
        return bool(self.attributes(setting)) and not self.spec.allow_skew

    def allows(self, model: str, setting: GuidanceSpec, whole: bool = False) -> bool:
        """Tell whether a setting may begin: nothing is open (or `whole`: as if it were not), and nothing refused."""
        if not self.waits(setting):
            return True
        made = self.made(model, setting.name)
        if any(each.value == FARTHER for each in made.values()):
            return False
        return whole or made.keys() >= set(self.attributes(setting))

    def rules(self, model: str, setting: str) -> list[str]:
        """Return the rule by which decisions about a cell count; none where there are none."""
        return [self._rules[model, setting]] if (model, setting) in self._rules else []

    def made(self, model: str, setting: str) -> dict[str, Decision]:
        """Return what is decided about each attribute of a setting."""
        return self._made.get((model, setting), {})

    def refusals(self) -> list[str]:
        """Return a line for each attribute of a setting that is refused."""
        return [
            f"refused: the target of {attribute} is farther from parity than {model} without guidance, on "
            f"{each.evidence['farther']} of {each.evidence['prompts']} prompts, so that {setting} would make it less "
            "fair: where that is meant, say allow_skew: true"
            for (model, setting), made in self._made.items()
            for attribute, each in made.items()
            if each.value == FARTHER and not self.spec.allow_skew
        ]


def _rule(spec: SweepSpec, model: ModelSpec) -> str:
    return rule(
        SKEW,
        model_identity(model),
        *readings(spec, spec.attributes),
        [spec.prompts.model_dump(mode="json"), spec.seeds[0], spec.sampling and spec.sampling.round],
    )


# Distances from equal shares; of what is drawn, without what chance alone adds.
_UNGUIDED = """
select
    group_counts.model, attribute, classifier, count(*) as prompts, sum(n)::bigint as n,
    round(avg(total_variation_of(targets, uniform)), 6) as target,
    round(avg(total_variation_of(shares, uniform)), 6) as unguided,
    count(*) filter (
        total_variation_of(targets, uniform)
        > greatest(0, total_variation_of(shares, uniform) - expected_total_variation(uniform, n)) + 1e-9
    ) as farther
from group_counts
join settings using (sweep, model, setting)
where sweep = $sweep and baseline and n > 0
group by all
"""


def decide(skew: Skew, connection: DuckDBPyConnection) -> Iterator[Decision]:
    """Yield, of every setting and attribute with unequal targets, what the unguided images of the first round say.

    That stops a sweep or not, and changes no image: those that served to decide it count for the result.
    """
    spec = skew.spec
    if not skew.asked:
        return
    for row in evidence(spec, connection, _UNGUIDED):
        attribute = row["attribute"]
        for setting in spec.guidance:
            made = skew.made(row["model"], setting.name)
            if attribute not in skew.attributes(setting) or attribute in made:
                continue
            yield about(
                row | {"setting": setting.name, "prompt": "", "prompt_name": ""},
                sweep=spec.name,
                kind=SKEW,
                round=0,
                value=FARTHER if 2 * row["farther"] > row["prompts"] else NEARER,
                evidence={name: row[name] for name in ("prompts", "farther", "n", "target", "unguided")},
                rule=skew.rules(row["model"], setting.name)[0],
            )
