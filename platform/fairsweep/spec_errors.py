"""Turn what pydantic finds wrong into one line that names the key and the nearest right word."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError


def near(word: Any, words: Iterable[str]) -> str:
    """Return "; did you mean ...?" for the nearest of the words, or what is known when none is near."""
    words = list(words)
    match = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    if match:
        return f"; did you mean {match[0]!r}?"
    return f"; known: {', '.join(words)}" if words else ""


def mistake(message: str, *loc: str | int) -> PydanticCustomError:
    """Return an error for a validator to raise, that stands at `loc` below the validated model."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "loc": loc})


@contextmanager
def below(*loc: str | int) -> Iterator[None]:
    """Let a mistake that is raised inside the block stand at `loc` plus its own place."""
    try:
        yield
    except PydanticCustomError as error:
        raise mistake(error.context["message"], *loc, *error.context["loc"]) from None


def check_known(params: dict[str, Any], kind: type[BaseModel], own: Iterable[str]) -> None:
    """Refuse a parameter that `kind` does not have, suggesting its fields and the `own` keys that stand beside them."""
    for name in params:
        if name not in kind.model_fields:
            raise mistake("unknown key" + near(name, [*own, *kind.model_fields]), name)


def first_mistake(error: ValidationError, model: type[BaseModel]) -> tuple[tuple[str | int, ...], str]:
    """Return where (the path of keys) and what the first mistake is."""
    found = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
    context = found.get("ctx", {})
    loc = tuple(found["loc"]) + tuple(context.get("loc", ()))
    cause = context.get("error")
    if isinstance(cause, ValidationError):
        inner = min(cause.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
        return loc + tuple(inner["loc"]), _words(inner, [])
    parent = _model_at(model, loc[:-1])
    return loc, _words(found, list(parent.model_fields) if parent else [])


def _words(found: dict, fields: list[str]) -> str:
    if found["type"] == "extra_forbidden":
        return "unknown key" + near(found["loc"][-1], fields)
    if found["type"] == "missing":
        return "this key is missing"
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] in ("mistake", "value_error"):
        return message
    value = repr(found["input"])
    return f"{message[0].lower()}{message[1:]}" + (f", not {value}" if len(value) < 60 else "")


def _model_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the model class that stands at `loc` (list indices and mapping keys stay inside their container)."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        else:
            inner = [arg for arg in get_args(current) if arg is not Ellipsis]
            current = inner[-1] if inner else None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None
