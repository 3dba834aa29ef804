"""What an address of the explorer asks for: its parameters, checked against what the store has."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from fairsweep.pages.explore import ORDERS, Choice, Filters

SIZES = ("12", "24", "48", "96")
_SIZE = "24"
_FLAGS = ("missing", "flipped", "disagreed")


@dataclass(frozen=True)
class Look:
    """The choice, what of its pictures to keep, and how to lay them out; notes say what of an address is not there."""

    choice: Choice
    beside: tuple[str, ...]
    filters: Filters
    order: str
    size: int
    page: int
    image: str | None
    query: str
    notes: tuple[str, ...]

    def within(self, count: int, size: int) -> tuple["Look", int]:
        """Return this look at a page that there is, of so many things, `size` a page, and how many pages there are."""
        pages = max(1, math.ceil(count / size))
        return replace(self, page=min(self.page, pages)), pages

    def address(self, path: str, **changes: Any) -> str:
        """Return the address of a page that shows the same but for the changes; None leaves a parameter out."""
        values: dict[str, Any] = {field.name: getattr(self.choice, field.name) for field in fields(Choice)}
        values |= {"group": self.filters.group, **{name: getattr(self.filters, name) for name in _FLAGS}}
        values |= {"beside": self.beside, "order": None if self.order == "seed" else self.order}
        values |= {"size": None if str(self.size) == _SIZE else self.size, "page": self.page, "image": self.image}
        values |= {"query": self.query, **changes}
        values["page"] = None if values["page"] == 1 else values["page"]
        values["image"] = values["image"] if path == "picture" else None
        kept = {
            name: 1 if value is True else value for name, value in values.items() if value not in (None, False, "", ())
        }
        return f"/{path}?{urlencode(kept, doseq=True)}"


def read(parameters: Any, sweep: str, options: dict[str, list[str]], groups: dict[str, list[str]]) -> Look:
    """Return what the parameters of an address ask for; what is not there gives way to what is, with a note.

    options: what a sweep has of each part of a choice; groups: the declared groups of each attribute.
    """
    notes: list[str] = []

    def one(name: str, there: list[str], instead: str | None) -> str | None:
        asked = parameters.get(name)
        if not asked or asked in there:
            return asked or instead
        notes.append(f"There is no {name} “{asked}” here" + (f": this is “{instead}”." if instead else "."))
        return instead

    chosen = {name: one(name, there, next(iter(there), "")) for name, there in options.items() if name != "prompt"}
    choice = Choice(sweep, prompt=one("prompt", options["prompt"], None), **chosen)  # type: ignore[arg-type]
    flags = {name: parameters.get(name) == "1" for name in _FLAGS}
    size = parameters.get("size")
    return Look(
        choice=choice,
        beside=tuple(
            name for name in options["setting"] if name in parameters.getlist("beside") and name != choice.setting
        ),
        filters=Filters(group=one("group", groups.get(choice.attribute, []), None), **flags),
        order=parameters.get("order") if parameters.get("order") in ORDERS else "seed",
        size=int(size if size in SIZES else _SIZE),
        page=max(1, int(page)) if (page := parameters.get("page", "")[:9]).isdecimal() else 1,
        image=parameters.get("image"),
        query=parameters.get("query", ""),
        notes=tuple(notes),
    )


def noted(look: Look, note: str) -> Look:
    """Return the same look with one more note."""
    return replace(look, notes=(note, *look.notes))
