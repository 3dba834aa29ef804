"""Which seeds of a prompt under a setting are planned by now: a function of the spec and of what is decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from fairsweep.plan.decisions import STOP, Decision, rule
from fairsweep.plan.declared import readings
from fairsweep.plan.identity import model_identity
from fairsweep.plan.pilots import Course, Pilots
from fairsweep.plan.skew import Skew
from fairsweep.plan.steering import Steering, pilot_seeds
from fairsweep.spec import GuidanceSpec, ModelSpec, SweepSpec

# The second: there is hardly a chance of a verdict within the most seeds, and none is added for it.
UNDECIDED, OUT_OF_REACH = "undecided", "out of reach"


@dataclass(frozen=True)
class Part:
    """What one round adds to a prompt under a setting: images of these seeds, from so many on, steered like this."""

    seeds: Sequence[int]
    first: int
    course: Course
    steered: frozenset[str]
    pilot: bool = False


class Rounds:
    """The rounds of a sweep as far as its decisions have come; a sweep of a fixed number of seeds has one.

    whole: plan as if nobody decided anything any more, which is the most that may be made.
    """

    def __init__(self, spec: SweepSpec, decisions: Iterable[Decision] = (), whole: bool = False):
        self.spec, self._whole = spec, whole
        decisions = list(decisions)
        self.steering, self.skew = Steering(spec, decisions), Skew(spec, decisions)
        self.pilots = Pilots(spec, decisions, self.steering.rules)
        size = spec.sampling.round if spec.sampling else len(spec.seeds)
        self.blocks = [slice(start, start + size) for start in range(0, len(spec.seeds), size)]
        # (model, setting, prompt) -> attribute -> the last look at it
        self._looks: dict[tuple[str, str, str], dict[str, Decision]] = {}
        for decision in decisions:
            cell = (decision.model, decision.setting)
            if decision.kind == STOP and decision.rule in self._rules.get(cell, {}):
                looks = self._looks.setdefault((*cell, decision.prompt), {})
                before = looks.get(decision.attribute)
                if before is None or before.round < decision.round:
                    looks[decision.attribute] = decision

    @property
    def number(self) -> int:
        """Return how many rounds there may be: of unguided images alone, pilots, and blocks of seeds."""
        return self.skew.asked + self.steering.asked + self.pilots.most + len(self.blocks)

    @property
    def decide(self) -> bool:
        """Tell whether anything is decided between rounds."""
        return self.number > 1 or self.spec.sampling is not None

    def part(self, number: int, model: str, setting: GuidanceSpec, prompt: str) -> Part | None:
        """Return what a round adds to a prompt under a setting; None where that is nothing, or open."""
        if not self.skew.allows(model, setting, self._whole):
            return None
        number -= self.skew.waits(setting)
        if number == 0 and setting.apply == "biased":
            return Part(pilot_seeds(setting), 0, self.pilots.plain, frozenset(), pilot=True)
        number -= setting.apply == "biased"
        steered = self.steering.steered(model, setting, prompt, self._whole)
        if number < 0 or steered is None:
            return None
        pilots, course = self.pilots.course(model, setting, prompt, steered, self._whole)
        if number < len(pilots):
            return Part(self.pilots.seeds(setting), 0, pilots[number], steered, pilot=True)
        number -= len(pilots)
        if course is None or number >= self.planned(model, setting.name, prompt):
            return None
        return Part(self._seeds[number], self.blocks[number].start, course, steered)

    @cached_property
    def _seeds(self) -> list[tuple[int, ...]]:
        return [self.spec.seeds[block] for block in self.blocks]

    def planned(self, model: str, setting: str, prompt: str) -> int:
        """Return how many blocks of seeds a prompt under a setting gets by now."""
        if not self.spec.sampling:
            return len(self.blocks)
        looks = self._looks.get((model, setting, prompt), {})
        done = 1 + max((look.round for look in looks.values()), default=-1)
        if looks and not any(self._goes_on(look) for look in looks.values()):
            return done
        return len(self.blocks) if self._whole else min(done + 1, len(self.blocks))

    def open(self, model: str, setting: str, prompt: str, attribute: str) -> int | None:
        """Return the round whose look at an attribute is still to come; None where there is none."""
        look = self._looks.get((model, setting, prompt), {}).get(attribute)
        last = self.planned(model, setting, prompt) - 1
        # What is out of reach gets no seeds for itself; where others did, it is looked at, too.
        undecided = look is None or look.value in (UNDECIDED, OUT_OF_REACH)
        return last if undecided and (look is None or look.round < last) else None

    def _goes_on(self, look: Decision) -> bool:
        """Tell whether a look asks for more seeds: undecided, or out of reach of fewer seeds than there may be now."""
        assert self.spec.sampling
        return look.value == UNDECIDED or (
            look.value == OUT_OF_REACH and look.evidence["most"] < self.spec.sampling.most
        )

    def rules(self, model: str, setting: str) -> list[str]:
        """Return the rules by which decisions about a cell count, one a round; none where nothing is decided."""
        parts = (self.pilots, self.steering, self.skew)
        return [*self._rules.get((model, setting), ()), *chain(*(part.rules(model, setting) for part in parts))]

    @cached_property
    def _rules(self) -> dict[tuple[str, str], dict[str, int]]:
        if not self.spec.sampling:
            return {}
        return {
            (model.name, setting.name): {
                self._rule(model, setting, block): number for number, block in enumerate(self.blocks)
            }
            for model in self.spec.models
            for setting in self.spec.guidance
        }

    def _rule(self, model: ModelSpec, setting: GuidanceSpec, block: slice) -> str:
        """Return the rule of a look: all that decides its images, decisions too, what is looked for, and who looks."""
        assert self.spec.sampling
        return rule(
            STOP,
            model_identity(model),
            setting.model_dump(mode="json", exclude={"name"}),
            *readings(self.spec, self.spec.attributes),
            [self.spec.prompts.negative_prompt, self.spec.direction_seed, self.spec.seeds[: block.stop]],
            [self.spec.sampling.margin, self.spec.sampling.round],
            *self.steering.rules(model.name, setting.name),
            *self.pilots.rules(model.name, setting.name),
        )
