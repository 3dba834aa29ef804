"""Where to steer: prompts whose unguided pilot is off target beyond chance, never against a group that they name."""

from collections.abc import Iterable, Iterator

from duckdb import DuckDBPyConnection

from fairsweep.plan.decisions import STEER, Decision, about, evidence, rule
from fairsweep.plan.declared import readings
from fairsweep.plan.identity import model_identity
from fairsweep.plan.naming import named_groups
from fairsweep.plan.pilots import FIRST_SEED
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec

STEERED, LEFT_ALONE, NAMED, UNREADABLE = "steer", "leave alone", "names a group", "unreadable"


def pilot_seeds(setting: GuidanceSpec) -> range:
    """Return the seeds of the unguided images of each prompt that decide where a setting steers."""
    return range(FIRST_SEED, FIRST_SEED + setting.pilot_seeds)


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
    return rule(
        STEER,
        model_identity(model),
        [list(setting.attributes), setting.pilot_seeds],
        *readings(spec, setting.attributes),
        spec.prompts.negative_prompt,
    )


# The false discovery rate is held over all prompts of a model, setting and attribute: the family of `target_test`.
_PILOTS = """
with intervals as (
    select
        model, setting, prompt, attribute, classifier, map(list("group"), list(round(low, 6))) as low,
        map(list("group"), list(round(high, 6))) as high, arg_max("group", share - target) as over_drawn,
        map(list("group"), list(count)) as counts, max(n) as n
    from share where sweep = $sweep group by all
)
select
    intervals.*, group_counts.prompt_name, verdict, q_value, least_difference, group_counts.images,
    group_counts.failed
from intervals
join group_counts using (model, setting, prompt, attribute, classifier)
join target_test using (sweep, model, setting, prompt, attribute, classifier)
where sweep = $sweep and group_counts.images > group_counts.failed
"""


def show_pilots(connection: DuckDBPyConnection) -> None:
    """Let every view of a connection be of the unguided pilots, and of nothing else."""
    connection.execute(
        "create or replace view plan as select * from plan_rows where pilot and cardinality(direction) = 0"
    )


def decide(steering: Steering, connection: DuckDBPyConnection) -> Iterator[Decision]:
    """Yield what the pilots decide about each prompt and attribute that is open; the connection shows the pilots.

    No image of theirs is one of the result: which prompts are steered was read off them, and those left alone would
    look fairer than they are. Where all images of a prompt failed nothing is decided: the next run tries these again.
    """
    spec = steering.spec
    if not steering.asked:
        return
    prompts = {prompt.text: prompt for prompt in spec.prompts.expand()}
    settings = {setting.name: setting for setting in spec.guidance if setting.apply == "biased"}
    for row in evidence(spec, connection, _PILOTS):
        place, attribute = (row["model"], row["setting"], row["prompt"]), row["attribute"]
        setting = settings.get(row["setting"])
        if setting is None or attribute not in setting.attributes or attribute in steering.made(*place):
            continue
        prompt = prompts[row["prompt"]]
        named = ", ".join(named_groups(prompt.text, prompt.variables, attribute, spec.attributes[attribute]))
        numbers = ("images", "failed", "n", "counts", "low", "high", "q_value", "least_difference")
        yield about(
            row,
            sweep=spec.name,
            kind=STEER,
            round=0,
            value=NAMED if named else _verdict(row),
            evidence={name: row[name] for name in numbers} | {"group": named or row["over_drawn"]},
            rule=steering.rules(row["model"], row["setting"])[0],
        )


def _verdict(row: dict) -> str:
    if not row["n"]:
        return UNREADABLE
    return STEERED if row["verdict"] == "off target" else LEFT_ALONE
