"""The texts that a sweep draws: a template with the values of its variables, or a plain list."""

import re
from collections.abc import Iterator, Mapping
from itertools import product

from pydantic import Field, model_validator

from fairsweep.attributes import Frozen


class Prompt(Frozen):
    """One text to draw, the short name it goes by, and the values of the template's variables."""

    text: str
    name: str
    variables: dict[str, str]


class PromptsSpec(Frozen):
    """A template with the values of its variables, or a plain list of texts."""

    template: str | None = None
    variables: dict[str, tuple[str, ...]] = Field(default={})
    texts: tuple[str, ...] = ()
    negative_prompt: str = ""

    @model_validator(mode="after")
    def _check(self):
        if (self.template is None) == (not self.texts):
            raise ValueError("give either a template with variables or a non-empty list of texts")
        fields = list(dict.fromkeys(re.findall(r"{(\w+)}", self.template or "")))
        for name in fields:
            if not self.variables.get(name):
                raise ValueError(f"template variable {name!r} has no values: add them under prompts.variables")
        for name in self.variables:
            if name not in fields:
                raise ValueError(f"variable {name!r} does not stand in the template")
        names = set()
        for name in self._names():
            if name in names:
                raise ValueError(f"prompt {name!r} is given twice")
            names.add(name)
        return self

    def _names(self) -> Iterator[str]:
        if self.template is None:
            yield from self.texts
        else:
            yield from (", ".join(values) or self.template for values in product(*self.variables.values()))

    def expand(self) -> list[Prompt]:
        """Return every prompt: the product of the variables' values, or the plain texts."""
        if self.template is None:
            return [Prompt(text=text, name=text, variables={}) for text in self.texts]
        prompts = []
        for values in product(*self.variables.values()):
            chosen = dict(zip(self.variables, values, strict=True))
            text = _filled(self.template, chosen)
            prompts.append(Prompt(text=text, name=", ".join(values) or text, variables=chosen))
        return prompts


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda match: values[match[1]], template)
