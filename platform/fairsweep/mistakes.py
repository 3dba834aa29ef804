"""Mistakes in a spec, raised where they are found and placed at the key where they stand."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from fairsweep.errors import near


def mistake(message: str, *loc: str | int) -> PydanticCustomError:
    """Return an error for a validator to raise, that stands at `loc` below the validated model."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "loc": loc})


def placed(error: PydanticCustomError) -> tuple[tuple[str | int, ...], str]:
    """Return where a `mistake` stands, and what it says."""
    context = error.context or {}
    return context["loc"], context["message"]


@contextmanager
def below(*loc: str | int) -> Iterator[None]:
    """Let a mistake that is raised inside the block stand at `loc` plus its own place."""
    try:
        yield
    except PydanticCustomError as error:
        inner, message = placed(error)
        raise mistake(message, *loc, *inner) from None


def check_known(params: dict[str, Any], kind: type[BaseModel], own: Iterable[str]) -> None:
    """Refuse a parameter that `kind` does not have, suggesting its fields and the `own` keys that stand beside them."""
    for name in params:
        if name not in kind.model_fields:
            raise mistake("unknown key" + near(name, [*own, *kind.model_fields]), name)


def check_names(key: str, items: Iterable[Any]) -> None:
    """Refuse a `name` that two items of a list have."""
    names = set()
    for index, item in enumerate(items):
        if item.name in names:
            raise mistake(f"the name {item.name!r} is given twice", key, index, "name")
        names.add(item.name)
