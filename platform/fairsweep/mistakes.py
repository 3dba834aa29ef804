"""Mistakes in a spec, raised where they are found and placed at the key where they stand."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from fairsweep.errors import near

Loc = tuple[str | int, ...]
# What pydantic says in the words of Python, in those of YAML.
_WORDS = {
    "tuple_type": "give a list",
    "dict_type": "give a mapping",
    "model_type": "give a mapping",
    "string_type": "give a text (in quotes, where it looks like a number)",
    "string_pattern_mismatch": "give letters, digits, '.', '_' and '-' alone",
    **dict.fromkeys(("too_short", "string_too_short"), "this must not be empty"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "give a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "give a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "give true or false"),
}


def mistake(message: str, *loc: str | int) -> PydanticCustomError:
    """Return an error for a validator to raise, that stands at `loc` below the validated model."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "loc": loc})


def placed(error: PydanticCustomError) -> tuple[Loc, str]:
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


class _Place(NamedTuple):
    """Where an error stands: the keys as they are written, those of its model, and of what takes one of several forms.

    form: how many keys lead to it, None where there is none. described: what the spec says of its key.
    """

    loc: Loc
    fields: list[str]
    form: int | None
    described: str


def first_mistake(error: ValidationError, model: type[BaseModel]) -> tuple[Loc, str]:
    """Return where (the path of keys) and what the first mistake is."""
    entries = [(entry, _place(model, entry["loc"])) for entry in error.errors()]
    entry, place = min(entries, key=lambda pair: _order(pair[0])[1:])
    if place.form is not None:
        # One error for each form: the form that was meant is the one that fits farthest.
        start = place.loc[: place.form]
        forms = [pair for pair in entries if pair[1].form == place.form and pair[1].loc[: place.form] == start]
        entry, place = min(forms, key=lambda pair: (-len(pair[1].loc), *_order(pair[0])))
        if len(place.loc) == place.form and _is_other_kind(entry):
            return place.loc, f"{_shown(entry)} does not fit: {place.described}"
    loc = place.loc + tuple(entry.get("ctx", {}).get("loc", ()))
    return loc, _message(entry, place.fields)


def _order(entry: ErrorDetails) -> tuple[bool, bool]:
    # A key that nobody knows explains those that are missing.
    return _is_other_kind(entry), entry["type"] != "extra_forbidden"


def _is_other_kind(entry: ErrorDetails) -> bool:
    return entry["type"].endswith(("_type", "_parsing"))


def _message(entry: ErrorDetails, fields: list[str]) -> str:
    if entry["type"] == "extra_forbidden":
        return "unknown key" + near(entry["loc"][-1], fields)
    if entry["type"] == "missing":
        return "this key is missing"
    message = entry["msg"].removeprefix("Value error, ")
    if entry["type"] in ("mistake", "value_error"):
        return message
    message = _WORDS.get(entry["type"], message)
    value = repr(entry["input"])
    return f"{message[0].lower()}{message[1:]}" + (f", not {value}" if len(value) < 60 else "")


def _shown(entry: ErrorDetails) -> str:
    value = repr(entry["input"])
    return value if len(value) < 60 else "this"


def _place(model: type[BaseModel], loc: Loc) -> _Place:
    """Follow an error's path through a model: list indices and mapping keys stay inside their container."""
    current: Any = model
    clean: list[str | int] = []
    fields: list[str] = []
    form, described = None, ""
    for part in loc:
        if len(forms := _forms(current)) > 1:
            # pydantic names the form, which nobody wrote.
            form = len(clean)
            current = next((kind for kind in forms if _named(kind) == str(part).partition("[")[0]), None)
            continue
        kind = forms[0] if forms else None
        clean.append(part)
        fields = []
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = list(kind.model_fields)
            field = kind.model_fields.get(str(part))
            current, described = (field.annotation, field.description or "") if field else (None, "")
        else:
            inner = [arg for arg in get_args(kind) if arg is not Ellipsis]
            current = inner[-1] if inner else None
    return _Place(tuple(clean), fields, form, described)


def _forms(kind: Any) -> list[Any]:
    """Return the types of what a key holds where it is given: several where it takes several forms."""
    if get_origin(kind) is Annotated:
        return _forms(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [form for arg in get_args(kind) if arg is not NoneType for form in _forms(arg)]
    return [kind]


def _named(kind: Any) -> str:
    return getattr(get_origin(kind) or kind, "__name__", "")
