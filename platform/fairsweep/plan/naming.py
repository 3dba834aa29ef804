"""What asks for one group alone: a prompt that names it, and a target that leaves the others nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairsweep.attributes import AttributeSpec
from fairsweep.errors import some
from fairsweep.plan.explicit import Gate, by_words
from fairsweep.spec import SweepSpec

# What a prompt's variable says that is called like an attribute, where the prompt names no group of it.
NO_GROUP = "none"
DECLARED, WORD, ENCODER = "declared", "word", "encoder"


@dataclass(frozen=True)
class Naming:
    """The groups of an attribute that a prompt names, and what says so; none and None where nothing does.

    score: by the text encoder, where it was asked.
    """

    groups: tuple[str, ...] = ()
    by: str | None = None
    score: float | None = None


def naming(
    text: str, variables: Mapping[str, str], name: str, attribute: AttributeSpec, gate: Gate | None = None
) -> Naming:
    """Return what a prompt names of an attribute: as its variable of that name declares, else by word, else by encoder.

    A variable that is neither a group nor `none` declares nothing.
    """
    declared = variables.get(name)
    if declared in attribute.groups:
        return Naming((declared,), DECLARED)
    if declared == NO_GROUP:
        return Naming((), DECLARED)
    if groups := by_words(text, {name: attribute}).get(name):
        return Naming(groups, WORD)
    if gate is None:
        return Naming()
    group, score = gate.named(text)
    return Naming((group,), ENCODER, score) if group else Naming(score=score)


def one_sided(spec: SweepSpec) -> list[str]:
    """Return a line for each attribute whose target, and one for each of whose prompts, ask for one group alone."""
    prompts, lines = spec.prompts.expand(), []
    for name, attribute in spec.attributes.items():
        alone = [group for group, share in attribute.target.items() if share > 1 - 1e-9]
        lines += [f"the target of {name} asks for {group} alone" for group in alone]
        named = [prompt.name for prompt in prompts if naming(prompt.text, prompt.variables, name, attribute).groups]
        if named:
            lines.append(f"prompts that name a group of {name}: {some(named)}")
    return lines
