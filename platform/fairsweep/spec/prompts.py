"""The texts that a sweep draws: a template with the values of its variables, or a plain list."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from pydantic import Field, model_validator

from fairsweep.attributes import Frozen
from fairsweep.classifiers.templates import vowel


class Prompt(Frozen):
    """One text to draw, the short name it goes by, and the values of the template's variables."""

    text: str
    name: str
    variables: dict[str, str]


class PromptsSpec(Frozen):
    """A template with the values of its variables, or a plain list of texts.

    The values are lists, of which every combination is a prompt; or rows, each of which is one.
    """

    template: str | None = Field(
        default=None, description="a text with {variables}; `a(n) {variable}` becomes a or an, as English wants"
    )
    variables: dict[str, tuple[str, ...]] = Field(
        default={},
        description="variable -> its values: a list, or {file: ...} of a text file or a CSV's `column`",
    )
    rows: tuple[dict[str, str], ...] = Field(
        default=(),
        exclude_if=lambda rows: not rows,
        description="in place of variables: the values of one prompt each, or {file: ...} of a CSV, a row a prompt",
    )
    texts: tuple[str, ...] = Field(default=(), description="in place of a template: the prompts themselves")
    negative_prompt: str = Field(default="", description="of every image")

    @model_validator(mode="after")
    def _check(self):
        if (self.template is None) == (not self.texts):
            raise ValueError("give either a template with variables or a non-empty list of texts")
        if self.rows:
            self._check_rows()
        else:
            self._check_variables()
        names = set()
        for name in self._names():
            if name in names:
                raise ValueError(f"prompt {name!r} is given twice")
            names.add(name)
        return self

    def _check_rows(self) -> None:
        if self.template is None or self.variables:
            raise ValueError("rows give the values of a template: leave variables out, and texts")
        for number, row in enumerate(self.rows, 1):
            for name in (*self._fields(), *self.rows[0]):
                if not row.get(name):
                    raise ValueError(f"row {number} has no value of {name!r}")
            if extra := sorted(set(row) - set(self.rows[0])):
                raise ValueError(f"row {number} has a value of {extra[0]!r}, which the first row has not")

    def _check_variables(self) -> None:
        fields = self._fields()
        for name in fields:
            if not self.variables.get(name):
                raise ValueError(f"template variable {name!r} has no values: add them under prompts.variables")
        for name in self.variables:
            if name not in fields:
                raise ValueError(f"variable {name!r} does not stand in the template")

    def _fields(self) -> list[str]:
        """Return the variables that the template names."""
        return list(dict.fromkeys(re.findall(r"{(\w+)}", self.template or "")))

    def _values(self) -> Iterator[dict[str, str]]:
        """Return the values of each prompt of the template."""
        if self.rows:
            yield from self.rows
        else:
            yield from (dict(zip(self.variables, each, strict=True)) for each in product(*self.variables.values()))

    def _name(self, values: Mapping[str, str]) -> str:
        """Return what a prompt is called: by what a row says beside the text, where it says more."""
        beside = [value for name, value in values.items() if name not in self._fields()] if self.rows else []
        return ", ".join(beside or values.values()) or _filled(self.template or "", values)

    def _names(self) -> Iterable[str]:
        return self.texts if self.template is None else map(self._name, self._values())

    def expand(self) -> list[Prompt]:
        """Return every prompt: of the template's values, or the plain texts."""
        if self.template is None:
            return [Prompt(text=text, name=text, variables={}) for text in self.texts]
        return [
            Prompt(text=_filled(self.template, values), name=self._name(values), variables=dict(values))
            for values in self._values()
        ]


def _filled(template: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match) -> str:
        text = values[match["name"]]
        return f"{match['word']}{'n' * vowel(text)} {text}" if match["word"] else text

    return re.sub(r"(?:\b(?P<word>[aA])\(n\) )?{(?P<name>\w+)}", value, template)
