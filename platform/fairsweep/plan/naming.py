"""What asks for one group alone: a prompt that names it, and a target that leaves the others nothing."""

from collections.abc import Mapping

from fairsweep.attributes import AttributeSpec
from fairsweep.plan.explicit import by_words
from fairsweep.spec import SweepSpec

_SHOWN = 5


def named_groups(text: str, variables: Mapping[str, str], name: str, attribute: AttributeSpec) -> tuple[str, ...]:
    """Return the groups of an attribute that a prompt names: by a variable called like it, else by a word of theirs."""
    if variables.get(name) in attribute.groups:
        return (variables[name],)
    return by_words(text, {name: attribute}).get(name, ())


def one_sided(spec: SweepSpec) -> list[str]:
    """Return a line for each attribute whose target, and one for each of whose prompts, ask for one group alone."""
    prompts, lines = spec.prompts.expand(), []
    for name, attribute in spec.attributes.items():
        alone = [group for group, share in attribute.target.items() if share > 1 - 1e-9]
        lines += [f"the target of {name} asks for {group} alone" for group in alone]
        named = [prompt.name for prompt in prompts if named_groups(prompt.text, prompt.variables, name, attribute)]
        if named:
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            lines.append(f"prompts that name a group of {name}: {', '.join(named[:_SHOWN])}{more}")
    return lines
