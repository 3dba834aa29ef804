"""Read a sweep spec from YAML, so that every mistake is one line that names the file, the line and the key."""

import csv
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from fairsweep.errors import SpecError, near
from fairsweep.spec.spec import SweepSpec

Loc = tuple[str | int, ...]
Places = dict[Loc, tuple[Path, int]]


def load_spec(path: str | Path) -> SweepSpec:
    """Return the validated spec of a YAML file; raises SpecError."""
    data, places = _read(Path(path), ())
    origins: dict[Loc, Loc] = {}
    try:
        _inline_files(data, Path(path).parent)
        return SweepSpec.model_validate(data, context={"origins": origins})
    except ValidationError as error:
        loc, message = first_mistake(error, SweepSpec)
    except SpecError as error:
        loc, message = tuple((error.key or "").split(".")), error.message
    loc = tuple(part for part in loc if part != "params")
    loc = origins.get(loc[:2], loc[:2]) + loc[2:]
    if loc[:2] == ("prompts", "texts") and ("prompts", "texts") not in places:
        loc = loc[:1] + loc[2:]
    known = next((loc[:end] for end in range(len(loc), 0, -1) if loc[:end] in places), ())
    file, line = places[known]
    raise SpecError(message, str(file), line, _dotted(loc))


def _dotted(loc: Loc) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _read(path: Path, chain: tuple[Path, ...]) -> tuple[dict, Places]:
    """Return the plain data of a file over that of the file it extends, and where each key stands."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SpecError(f"cannot read the spec: {reason}", str(path)) from None
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        places: Places = {}
        data = _plain(loader, node, (), path, places) if node else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(f"this is not YAML: {error.problem}", str(path), mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise SpecError(f"this is not YAML: {' '.join(str(error).split())}", str(path)) from None
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise SpecError("a spec is a mapping of keys such as name, models, prompts", str(path), 1)
    if "extends" not in data:
        return data, places
    base_path = path.parent / str(data.pop("extends"))
    if base_path.resolve() in (*chain, path.resolve()):
        raise SpecError("a spec cannot extend itself", str(path), places[("extends",)][1], "extends")
    base, base_places = _read(base_path, (*chain, path.resolve()))
    kept = {loc: place for loc, place in base_places.items() if loc and loc[0] not in data}
    return {**base, **data}, {**kept, **places}


def _plain(loader: yaml.SafeLoader, node: yaml.Node, loc: Loc, path: Path, places: Places):
    places.setdefault(loc, (path, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        data = {}
        loader.flatten_mapping(node)
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                # YAML reads a bare `no` or `yes` as a truth value: a group of that name stays the word as written.
                key = str(key_node.value)
            if key in data:
                raise SpecError("this key is given twice", str(path), line, _dotted((*loc, key)))
            places[(*loc, key)] = (path, line)
            data[key] = _plain(loader, value_node, (*loc, key), path, places)
        return data
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*loc, index), path, places) for index, item in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def _inline_files(data: dict, folder: Path) -> None:
    """Replace {file: ...} variables by the values in the file, and relative model paths by absolute ones."""
    prompts = data.get("prompts")
    variables = prompts.get("variables") if isinstance(prompts, dict) else None
    for name, values in variables.items() if isinstance(variables, dict) else ():
        if isinstance(values, dict):
            variables[name] = _values_of(name, values, folder)
    for model in data["models"] if isinstance(data.get("models"), list) else ():
        source = model.get("source") if isinstance(model, dict) else None
        if isinstance(source, str) and (source.startswith((".", "~")) or (folder / source).exists()):
            model["source"] = str((folder / Path(source).expanduser()).resolve())


def _values_of(name: str, asked: dict, folder: Path) -> list[str]:
    for word in asked:
        if word not in ("file", "column"):
            raise _variable_error(name, f"unknown key {word!r}{near(word, ('file', 'column'))}")
    path = folder / str(asked.get("file"))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _variable_error(name, f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if path.suffix.lower() == ".csv":
        rows = list(csv.DictReader(lines))
        columns = list(rows[0]) if rows else []
        column = asked.get("column", name if name in columns else columns[0] if columns else None)
        if column not in columns:
            raise _variable_error(name, f"{path.name} has no column {column!r}{near(column, columns)}")
        values = [(row[column] or "").strip() for row in rows]
    else:
        values = [line.strip() for line in lines if not line.lstrip().startswith("#")]
    values = list(dict.fromkeys(value for value in values if value))
    if not values:
        raise _variable_error(name, f"{path.name} holds no values")
    return values


def _variable_error(name: str, message: str) -> SpecError:
    return SpecError(message, key=f"prompts.variables.{name}")


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
