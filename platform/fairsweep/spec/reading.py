"""Read a sweep spec from YAML, so that every mistake is one line that names the file, the line and the key."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from fairsweep.builtin import BUILTIN
from fairsweep.errors import FairsweepError, SpecError, near
from fairsweep.mistakes import first_mistake, mistake, placed
from fairsweep.registry import look_in
from fairsweep.spec import suites
from fairsweep.spec.document import Loc, Places, dotted, read_document
from fairsweep.spec.size import MOST_IMAGES
from fairsweep.spec.spec import SweepSpec
from fairsweep.textfile import read_text, unfit

_MOST_BYTES = 16 * 2**20


def load_spec(path: str | Path, most_images: int | None = None, models: Sequence[str] = ()) -> SweepSpec:
    """Return the validated spec of a YAML file; raises SpecError.

    path: the file, or the name of a suite. most_images: what the spec may plan, MOST_IMAGES where silent.
    models: sources of the models of a spec that names none, as suites do.
    """
    path = suites.find(path)
    data, places = _read(path, ())
    if models and "models" in data:
        raise SpecError("the spec names its models itself: leave --model out", *_at(places, ("models",)), "models")
    if not models and "models" not in data:
        raise SpecError("no models are named: give --model HUB_ID, FOLDER or builtin:portraits, or add them", str(path))
    if models:
        data["models"] = [{"source": os.path.abspath(each) if os.path.exists(each) else each} for each in models]
    # A class of one's own, "my_module:MyMethod", lies beside the spec that names it.
    look_in(path.parent)
    origins: dict[Loc, Loc] = {}
    context = {"origins": origins, "most_images": most_images or MOST_IMAGES}
    try:
        _inline_files(data, places)
        return SweepSpec.model_validate(data, context=context)
    except ValidationError as error:
        loc, message = first_mistake(error, SweepSpec)
    except PydanticCustomError as error:
        loc, message = placed(error)
    loc = tuple(part for part in loc if part != "params")
    loc = origins.get(loc[:2], loc[:2]) + loc[2:]
    if loc[:2] == ("prompts", "texts") and ("prompts", "texts") not in places:
        loc = loc[:1] + loc[2:]
    raise SpecError(message, *_at(places, loc), dotted(loc))


def _at(places: Places, loc: Loc) -> tuple[str, int]:
    """Return the file and the line of a key, or of the nearest one above it that was written."""
    nearest = next((loc[:end] for end in range(len(loc), 0, -1) if loc[:end] in places), ())
    file, line = places[nearest]
    return str(file), line


def _read(path: Path, chain: tuple[Path, ...]) -> tuple[dict, Places]:
    """Return the plain data of a file over that of the file it extends, and where each key stands."""
    data, places = read_document(path)
    if not isinstance(data, dict):
        raise SpecError("a spec is a mapping of keys such as name, models, prompts", str(path), 1)
    if "extends" not in data:
        return data, places
    extended, place = str(data.pop("extends")), places[("extends",)]
    try:
        base_path = suites.find(extended, path.parent)
        if not os.path.exists(base_path):
            raise SpecError("there is no such file", str(base_path))
    except SpecError as error:
        raise SpecError(f"{extended}: {error.message}", str(place[0]), place[1], "extends") from None
    own = Path(os.path.realpath(path))
    if Path(os.path.realpath(base_path)) in (*chain, own):
        raise SpecError("a spec cannot extend itself", str(path), place[1], "extends")
    base, base_places = _read(base_path, (*chain, own))
    inherited = {loc: place for loc, place in base_places.items() if loc and loc[0] not in data}
    return {**base, **data}, {**inherited, **places}


def _inline_files(data: dict, places: Places) -> None:
    """Replace {file: ...} by what is in the file, and relative paths by absolute ones: beside who names them."""

    def folder(*loc: str | int) -> Path:
        return Path(_at(places, loc)[0]).parent

    for item in data["data"] if isinstance(data.get("data"), list) else ():
        if isinstance(item, dict) and isinstance(item.get("source"), str) and "://" not in item["source"]:
            item["source"] = str(folder("data").absolute() / os.path.expanduser(item["source"]))
    images = {"source": data["images"]} if isinstance(data.get("images"), str) else data.get("images")
    if isinstance(images, dict) and isinstance(images.get("source"), str) and not _is_elsewhere(images["source"]):
        data["images"] = images | {"source": str(folder("images").absolute() / os.path.expanduser(images["source"]))}
    encoder = data.get("encoder")
    stimuli = encoder.get("stimuli") if isinstance(encoder, dict) else None
    for item in stimuli.values() if isinstance(stimuli, dict) else ():
        for key in ("images", "embeddings"):
            if isinstance(item, dict) and isinstance(item.get(key), str):
                item[key] = str(folder("encoder").absolute() / os.path.expanduser(item[key]))
    prompts = data.get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    variables = prompts.get("variables")
    if isinstance(variables, dict):
        for name, values in variables.items():
            if isinstance(values, dict):
                variables[name] = _values_of(name, values, folder("prompts"))
    if isinstance(prompts.get("rows"), dict):
        prompts["rows"] = _rows_of(prompts["rows"], folder("prompts"))
    for index, model in enumerate(data["models"] if isinstance(data.get("models"), list) else ()):
        source = model.get("source") if isinstance(model, dict) else None
        if isinstance(source, str) and source.startswith("builtin:") and source not in BUILTIN:
            raise mistake(f"no built-in model {source!r}{near(source, BUILTIN)}", "models", index, "source")
        beside = folder("models")
        if isinstance(source, str) and (source.startswith((".", "~")) or os.path.exists(beside / source)):
            model["source"] = _local(source, beside, index)


def _is_elsewhere(source: str) -> bool:
    return "://" in source or source.startswith("builtin:")


def _local(source: str, folder: Path, index: int) -> str:
    """Return the absolute path of a model that lies beside the spec, or anywhere on this machine."""
    try:
        path = Path(os.path.realpath(folder / Path(source).expanduser()))
    except RuntimeError:
        raise mistake(f"there is no home folder {source.split('/')[0]}", "models", index, "source") from None
    # Reading all below a wrong folder, such as / or a home, would go on for hours.
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isfile(path / "model_index.json")):
        what = "holds no model_index.json" if os.path.isdir(path) else "is no file and no folder"
        message = f"{path} {what}: give a diffusers folder, a .safetensors file or a Hub id"
        raise mistake(message, "models", index, "source")
    return str(path)


def _values_of(name: str, source: dict, folder: Path) -> list[str]:
    """Return the values of a variable: the lines of a text file, or a column of a CSV."""
    place = ("prompts", "variables", name)
    path, lines = _lines_of(source, ("file", "column"), folder, place)
    if path.suffix.lower() == ".csv":
        rows = _csv(path, lines, place)
        columns = list(rows[0]) if rows else []
        column = source.get("column", name if name in columns else columns[0] if columns else None)
        if column not in columns:
            raise mistake(f"{path.name} has no column {column!r}{near(column, columns)}", *place)
        values = [(row[column] or "").strip() for row in rows]
    else:
        values = [line.strip() for line in lines if not line.lstrip().startswith("#")]
    values = list(dict.fromkeys(value for value in values if value))
    if not values:
        raise mistake(f"{path.name} holds no values", *place)
    if reason := unfit("".join(values)):
        raise mistake(f"{path.name}: {reason}", *place)
    return values


def _rows_of(source: dict, folder: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV, each the values of one prompt."""
    place = ("prompts", "rows")
    path, lines = _lines_of(source, ("file",), folder, place)
    rows = [{str(name): str(value or "").strip() for name, value in row.items()} for row in _csv(path, lines, place)]
    if not rows:
        raise mistake(f"{path.name} holds no rows", *place)
    if reason := unfit("".join(value for row in rows for value in row.values())):
        raise mistake(f"{path.name}: {reason}", *place)
    return rows


def _lines_of(source: dict, words: tuple[str, ...], folder: Path, place: Loc) -> tuple[Path, list[str]]:
    for word in source:
        if word not in words:
            raise mistake(f"unknown key {word!r}{near(word, words)}", *place)
    path = folder / str(source.get("file"))
    try:
        return path, read_text(path, _MOST_BYTES).splitlines()
    except FairsweepError as error:
        raise mistake(f"cannot read {path}: {error}", *place) from None


def _csv(path: Path, lines: list[str], place: Loc) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(lines))
    except csv.Error as error:
        raise mistake(f"cannot read {path}: {error}", *place) from None
