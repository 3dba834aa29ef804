"""What a calibrated setting tries before it steers, and what that decides: pilots up a ladder, a quota and a scale."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from fairsweep.measure.sql import rows
from fairsweep.plan.calibrated import REACHED, Rung, Solution, solve
from fairsweep.plan.decisions import QUOTA, Decision, about, evidence, rule
from fairsweep.plan.declared import lead, readings
from fairsweep.plan.identity import model_identity
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec
from fairsweep.spec.plugins import FIRST_PILOT_SEED

# No scale so far reaches the target, and there is a stronger one; no image of some direction shows any group.
STRONGER, UNREADABLE = "stronger", "unreadable"
# A quota is dealt in thousandths.
_PARTS = 1000


@dataclass(frozen=True)
class Course:
    """How the images of a prompt are steered: attribute -> group -> share of directions, attribute -> edit scale.

    scales: None where the setting's own hold.
    """

    quotas: Mapping[str, Mapping[str, float]]
    scales: Mapping[str, float] | None = None


class Pilots:
    """The pilots of a sweep's calibrated settings, as far as their decisions have come.

    steering: the rules by which it is decided where a model and setting steer; pilots are of what is steered there.
    """

    def __init__(
        self,
        spec: SweepSpec,
        decisions: Iterable[Decision] = (),
        steering: Callable[[str, str], list[str]] = lambda model, setting: [],
    ):
        self.spec = spec
        self.plain = Course({name: attribute.target for name, attribute in spec.attributes.items()})
        groups = {name: list(attribute.groups) for name, attribute in spec.attributes.items()}
        self._even = {name: dict.fromkeys(each, 1 / len(each)) for name, each in groups.items()}
        self._rules = {
            (model.name, setting.name): [
                self._rule(model, setting, rung, steering(model.name, setting.name))
                for rung in range(len(_ladder(setting)))
            ]
            for model in spec.models
            for setting in spec.guidance
            if setting.calibrate
        }
        self._made: dict[tuple, Decision] = {}
        for each in decisions:
            own = self._rules.get((each.model, each.setting), [])
            if each.kind == QUOTA and each.round < len(own) and each.rule == own[each.round]:
                self._made[each.model, each.setting, each.prompt, each.attribute, each.round] = each

    @property
    def most(self) -> int:
        """Return how many pilots a prompt may need."""
        return max(map(len, self._rules.values()), default=0)

    def seeds(self, setting: GuidanceSpec) -> range:
        """Return the seeds of each pilot: so many that every group of every steered attribute is asked often enough."""
        # Other seeds than those that decided whether to steer: what they showed by chance counts once.
        first = FIRST_PILOT_SEED + setting.pilot_seeds
        return range(first, first + setting.calibrated_seeds(self.spec.attributes))

    def rules(self, model: str, setting: str) -> list[str]:
        """Return the rules by which decisions about a cell count, one a rung of the ladder."""
        return list(self._rules.get((model, setting), ()))

    def course(
        self, model: str, setting: GuidanceSpec, prompt: str, steered: Collection[str], whole: bool = False
    ) -> tuple[list[Course], Course | None]:
        """Return how each pilot of a prompt steers, and how its images do then; None while that is open.

        steered: the attributes that the setting steers on the prompt. whole: as if every rung were climbed, where it is
        open.
        """
        names = [name for name in setting.attributes if name in steered]
        if not setting.calibrate or not names:
            return [], self.plain
        found: dict[str, Decision] = {}
        pilots = []
        for rung, scale in enumerate(_ladder(setting)):
            pilots.append(Course(self._even, _scales(names, found, scale)))
            made = {name: self._made.get((model, setting.name, prompt, name, rung)) for name in names}
            if not whole and any(made[name] is None for name in names if name not in found):
                return pilots, None
            found |= {name: each for name, each in made.items() if each and each.value != STRONGER}
            if len(found) == len(names):
                break
        quotas = {
            name: dict(zip(self._even[name], each.evidence["quota"], strict=True)) for name, each in found.items()
        }
        return pilots, Course({**self.plain.quotas, **quotas}, _scales(names, found, scale))

    def open(self, model: str, setting: GuidanceSpec, prompt: str, steered: Collection[str]) -> tuple[int, list[str]]:
        """Return the rung whose pilot is to decide, and the attributes that it is to decide about."""
        pilots, settled = self.course(model, setting, prompt, steered)
        if settled:
            return len(pilots), []
        rung = len(pilots) - 1
        held = {
            name
            for name in steered
            for before in range(rung + 1)
            if (each := self._made.get((model, setting.name, prompt, name, before)))
            and (each.value != STRONGER or before == rung)
        }
        return rung, [name for name in setting.attributes if name in steered and name not in held]

    def _rule(self, model: ModelSpec, setting: GuidanceSpec, rung: int, steering: list[str]) -> str:
        return rule(
            QUOTA,
            model_identity(model),
            setting.model_dump(mode="json", exclude={"name"}),
            *readings(self.spec, setting.attributes),
            [self.spec.prompts.negative_prompt, self.spec.direction_seed, rung],
            *steering,
        )


_SHOWN = """
select
    model, setting, prompt, prompt_name, attribute, classifier, scales[attribute] as scale,
    direction[attribute] as steered_to, label, count(*) as n
from plan_rows
join labels using (image_id)
where sweep = $sweep and pilot and error is null and direction[attribute] is not null
group by all
"""
_CONFUSION = """
select truth, label, sum(n)::bigint as n from calibration_counts
where classifier = $classifier and attribute = $attribute group by all
"""


def decide(
    pilots: Pilots,
    steered: Callable[[str, GuidanceSpec, str], Collection[str] | None],
    connection: DuckDBPyConnection,
) -> Iterator[Decision]:
    """Yield what the pilots decide that were made last: quota and scale, or to try a stronger one.

    steered: model, setting and prompt -> the attributes that are steered there, None where that is open.
    Where no image that a pilot steered to some group was made and labelled, nothing is decided: the next run tries
    these again.
    """
    spec = pilots.spec
    shown: dict[tuple, dict[tuple, int]] = {}
    prompts: dict[tuple, dict] = {}
    for row in evidence(spec, connection, _SHOWN):
        cell = tuple(row[key] for key in ("model", "setting", "prompt"))
        shown.setdefault((*cell, row["attribute"], row["scale"]), {})[row["steered_to"], row["label"]] = row["n"]
        prompts[cell] = row
    settings = {setting.name: setting for setting in spec.guidance if setting.calibrate}
    confusions = {name: _confusion(spec, name, connection) for name in spec.attributes}
    for cell, row in prompts.items():
        model, setting, prompt = cell
        rung, attributes = pilots.open(
            model, settings[setting], prompt, steered(model, settings[setting], prompt) or ()
        )
        scales = _ladder(settings[setting])[: rung + 1]
        for attribute in attributes:
            asked = {group for group, _ in shown.get((*cell, attribute, scales[-1]), ())}
            if not asked >= spec.attributes[attribute].groups.keys():
                continue
            tried = [_matrix(spec, attribute, shown.get((*cell, attribute, scale), {})) for scale in scales]
            value, numbers = _solved(spec, settings[setting], attribute, tried, confusions[attribute])
            yield about(
                row | {"attribute": attribute},
                sweep=spec.name,
                kind=QUOTA,
                round=rung,
                value=value,
                evidence=numbers,
                rule=pilots.rules(model, setting)[rung],
            )


def _solved(
    spec: SweepSpec, setting: GuidanceSpec, attribute: str, tried: list[list[list[int]]], confusion: Any
) -> tuple[str, dict[str, Any]]:
    """Return the verdict on the rungs tried so far, and what it is read off."""
    assert setting.calibrate
    ladder = _ladder(setting)
    target = list(spec.attributes[attribute].target.values())
    rungs = [Rung(scale or 0.0, shown) for scale, shown in zip(ladder, tried, strict=False)]
    solution: Solution | None = solve(target, rungs, setting.calibrate.tolerance, confusion)
    numbers: dict[str, Any] = {"shown": tried[-1], "tolerance": setting.calibrate.tolerance}
    if solution is None:
        return UNREADABLE, numbers | {"scale": ladder[0], "quota": target}
    numbers |= {
        "scale": None if ladder[0] is None else solution.scale,
        "quota": _dealt(solution.quota),
        "outcome": [round(share, 6) for share in solution.outcome],
        "miss": round(solution.miss, 6),
        "error": round(solution.error, 6),
    }
    climb = solution.verdict != REACHED and len(tried) < len(ladder)
    return STRONGER if climb else solution.verdict, numbers


def _ladder(setting: GuidanceSpec) -> tuple[float | None, ...]:
    """Return the scales to try; None where the setting's own holds."""
    assert setting.calibrate
    return setting.calibrate.scales or (None,)


def _scales(names: Iterable[str], found: Mapping[str, Decision], rung: float | None) -> dict[str, float] | None:
    """Return each attribute's scale: the one that was found, else that of the rung; None without a ladder."""
    if rung is None:
        return None
    return {name: float(found[name].evidence["scale"]) if name in found else rung for name in names}


def _matrix(spec: SweepSpec, attribute: str, counts: Mapping[tuple, int]) -> list[list[int]]:
    groups = list(spec.attributes[attribute].groups)
    return [[counts.get((asked, shown), 0) for shown in groups] for asked in groups]


def _confusion(spec: SweepSpec, attribute: str, connection: DuckDBPyConnection) -> list[list[int]] | None:
    """Return the leading classifier's confusion matrix of an attribute, where it was calibrated."""
    bound = {"classifier": lead(spec, attribute), "attribute": attribute}
    counts = {(row["truth"], row["label"]): row["n"] for row in rows(connection.execute(_CONFUSION, bound))}
    return _matrix(spec, attribute, counts) if counts else None


def _dealt(quota: Iterable[float]) -> list[float]:
    """Return the quota in whole thousandths that sum to one."""
    parts = [share * _PARTS for share in quota]
    whole = [int(part) for part in parts]
    for place in sorted(range(len(parts)), key=lambda place: whole[place] - parts[place])[: _PARTS - sum(whole)]:
        whole[place] += 1
    return [part / _PARTS for part in whole]
