"""Where to steer: prompts whose unguided pilot is off target beyond chance, never against a group that they name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from fairsweep.plan.decisions import STEER, Decision, about, evidence, rule
from fairsweep.plan.declared import readings
from fairsweep.plan.explicit import Gate, Vectors, gate, stimuli
from fairsweep.plan.identity import model_identity
from fairsweep.plan.naming import DECLARED, naming
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec
from fairsweep.spec.plugins import FIRST_PILOT_SEED

# Given a model's name and texts: what its text encoder makes of them; None where it has none that can be used.
ModelEncode = Callable[[str, Sequence[str]], Vectors | None]

STEERED, LEFT_ALONE, NAMED, UNREADABLE = "steer", "leave alone", "names a group", "unreadable"


def pilot_seeds(setting: GuidanceSpec) -> range:
    """Return the seeds of the unguided images of each prompt that decide where a setting steers."""
    return range(FIRST_PILOT_SEED, FIRST_PILOT_SEED + setting.pilot_seeds)


class Steering:
    """Which attributes are steered on which prompt, of settings that steer biased prompts alone."""

    def __init__(self, spec: SweepSpec, decisions: Iterable[Decision] = ()):
        self.spec = spec
        self._rules = {
            (model.name, setting.name): _rule(spec, model, setting)
            for model in spec.models
            for setting in spec.guidance
            if setting.apply == "biased"
        }
        self._made: dict[tuple[str, str, str], dict[str, Decision]] = {}
        for each in decisions:
            if each.kind == STEER and self._rules.get((each.model, each.setting)) == each.rule:
                self._made.setdefault((each.model, each.setting, each.prompt), {})[each.attribute] = each

    @property
    def asked(self) -> bool:
        """Tell whether any setting steers biased prompts alone."""
        return bool(self._rules)

    def rules(self, model: str, setting: str) -> list[str]:
        """Return the rule by which decisions about a cell count; none where there are none."""
        return [self._rules[model, setting]] if (model, setting) in self._rules else []

    def made(self, model: str, setting: str, prompt: str) -> dict[str, Decision]:
        """Return what is decided about each attribute of a prompt under a setting."""
        return self._made.get((model, setting, prompt), {})

    def steered(self, model: str, setting: GuidanceSpec, prompt: str, whole: bool = False) -> frozenset[str] | None:
        """Return the attributes that a setting steers on a prompt; None while that is open.

        whole: as if all were steered, where it is open.
        """
        steered = setting.attributes if setting.uses_direction else ()
        if setting.apply == "all":
            return frozenset(steered)
        made = self.made(model, setting.name, prompt)
        if not whole and any(name not in made for name in steered):
            return None
        return frozenset(name for name in steered if name not in made or made[name].value == STEERED)


def _rule(spec: SweepSpec, model: ModelSpec, setting: GuidanceSpec) -> str:
    declared = {
        prompt.text: own
        for prompt in spec.prompts.expand()
        if (own := _declared(spec, setting, prompt.text, prompt.variables))
    }
    return rule(
        STEER,
        model_identity(model),
        [list(setting.attributes), setting.pilot_seeds],
        *readings(spec, setting.attributes),
        spec.prompts.negative_prompt,
        *([declared] if declared else []),
    )


def _declared(spec: SweepSpec, setting: GuidanceSpec, text: str, variables: dict[str, str]) -> dict[str, list[str]]:
    """Return what a prompt's variables say that it names, of the attributes that a setting steers."""
    named = {name: naming(text, variables, name, spec.attributes[name]) for name in setting.attributes}
    return {name: list(each.groups) for name, each in named.items() if each.by == DECLARED}


_PILOTS = """
with intervals as (
    select
        model, setting, prompt, attribute, classifier, map(list("group"), list(round(low, 6))) as low,
        map(list("group"), list(round(high, 6))) as high, arg_max("group", share - target) as over_drawn,
        map(list("group"), list(count)) as counts, max(n) as n
    from share where sweep = $sweep group by all
)
select
    intervals.*, group_counts.prompt_name, p_value, least_difference, group_counts.images, group_counts.failed
from intervals
join group_counts using (model, setting, prompt, attribute, classifier)
join target_test using (sweep, model, setting, prompt, attribute, classifier)
where sweep = $sweep and group_counts.images > group_counts.failed
"""
# The false discovery rate is held over all prompts of a model, setting and attribute that name no group of it: those
# that do are always off target, and would let through more of the others.
_Q_VALUES = """
select place, q_value, q_value <= false_discovery_rate() as off
from q_values('open_tests', {'model': model, 'setting': setting, 'attribute': attribute})
"""


def show_pilots(connection: DuckDBPyConnection) -> None:
    """Let every view of a connection be of the unguided pilots, and of nothing else."""
    connection.execute(
        "create or replace view plan as select * from plan_rows where pilot and cardinality(direction) = 0"
    )


def decide(steering: Steering, connection: DuckDBPyConnection, encode: ModelEncode | None = None) -> Iterator[Decision]:
    """Yield what the pilots decide about each prompt and attribute that is open; the connection shows the pilots.

    encode: without it, words alone say which prompts name a group.
    No image of theirs is one of the result: which prompts are steered was read off them, and those left alone would
    look fairer than they are. Where all images of a prompt failed nothing is decided: the next run tries these again.
    """
    spec = steering.spec
    if not steering.asked:
        return
    prompts = {prompt.text: prompt for prompt in spec.prompts.expand()}
    settings = {setting.name: setting for setting in spec.guidance if setting.apply == "biased"}
    pilots = [
        row
        for row in evidence(spec, connection, _PILOTS)
        if row["setting"] in settings and row["attribute"] in settings[row["setting"]].attributes
    ]
    places = [(row["model"], row["setting"], row["prompt"], row["attribute"]) for row in pilots]
    if all(place[3] in steering.made(*place[:3]) for place in places):
        return
    gates = {model.name: _gates(spec, model.name, encode) for model in spec.models} if encode else {}
    named = {}
    for model, _, text, attribute in places:
        own = gates.get(model, {}).get(attribute)
        named[model, text, attribute] = naming(
            text, prompts[text].variables, attribute, spec.attributes[attribute], own
        )
    tests = _q_values(connection, [row for row in pilots if not named[_question(row)].groups])
    for row, place in zip(pilots, places, strict=True):
        if place[3] in steering.made(*place[:3]):
            continue
        groups = ", ".join(named[_question(row)].groups)
        q_value, off = tests.get(place, (None, False))
        numbers = {name: row[name] for name in ("images", "failed", "n", "counts", "low", "high", "least_difference")}
        numbers |= {"q_value": q_value, "group": groups or row["over_drawn"], "named_by": named[_question(row)].by}
        if own := gates.get(row["model"], {}).get(row["attribute"]):
            numbers |= {"score": named[_question(row)].score, "threshold": own.threshold, "area": own.area}
        yield about(
            row,
            sweep=spec.name,
            kind=STEER,
            round=0,
            value=NAMED if groups else UNREADABLE if not row["n"] else STEERED if off else LEFT_ALONE,
            evidence=numbers,
            rule=steering.rules(row["model"], row["setting"])[0],
        )


def _question(row: dict) -> tuple[str, str, str]:
    return row["model"], row["prompt"], row["attribute"]


def _q_values(connection: DuckDBPyConnection, pilots: Sequence[dict]) -> dict[tuple, tuple[float | None, bool]]:
    """Return (model, setting, prompt, attribute) -> the q-value of a pilot's test, and whether that is a finding."""
    keys = ("model", "setting", "prompt", "attribute")
    columns: dict[str, Any] = {key: [row[key] for row in pilots] for key in keys}
    columns |= {"place": range(len(pilots)), "p_value": pa.array([row["p_value"] for row in pilots], pa.float64())}
    if not pilots:
        return {}
    connection.register("open_tests", pa.table(columns))
    found = connection.execute(_Q_VALUES).fetchall()
    connection.unregister("open_tests")
    return {tuple(pilots[place][key] for key in keys): (q_value, bool(off)) for place, q_value, off in found}


def _gates(spec: SweepSpec, model: str, encode: ModelEncode) -> dict[str, Gate]:
    """Return attribute -> the gate of a model's text encoder; none where it has no encoder."""
    steered = {name for setting in spec.guidance if setting.apply == "biased" for name in setting.attributes}
    attributes = {name: each for name, each in spec.attributes.items() if name in steered}
    texts = [prompt.text for prompt in spec.prompts.expand()]
    for attribute in attributes.values():
        own, neutral, explicit = stimuli(attribute)
        texts += [text for part in (*own, neutral, explicit) for text in part]
    texts = list(dict.fromkeys(texts))
    vectors = encode(model, texts)
    if vectors is None:
        return {}
    places = {text: place for place, text in enumerate(texts)}

    def look_up(texts: Sequence[str]) -> Vectors:
        return vectors[np.array([places[text] for text in texts])]

    return {name: gate(attribute, look_up) for name, attribute in attributes.items()}
