"""Turn what is convenient to write into what is simple to hold: flat parameters, grids, counts of seeds."""

import math
from itertools import product
from types import NoneType
from typing import Any

from pydantic import BaseModel

from fairsweep.errors import near
from fairsweep.mistakes import mistake
from fairsweep.spec.size import MOST_IMAGES, check_size

SHORT = {"guidance_scale": "cfg", "steps": "steps", "scheduler": "", "strength": "strength"}
_GUIDANCE_KEYS = ("name", "method", "attributes", "params", "apply", "pilot", "calibrate")
_CLASSIFIER_KEYS = ("name", "kind", "params")

Path = tuple[str | int, ...]


def expand_sweep(data: dict, most_images: int = MOST_IMAGES) -> tuple[dict, dict[Path, Path]]:
    """Return the expanded sweep, and for each expanded list item the path where the user wrote it.

    A sweep of more than `most_images` images is refused before anything of its size is held.
    """
    data = dict(data)
    origins: dict[Path, Path] = {}
    if isinstance(data.get("images"), str):
        data["images"] = {"source": data["images"]}
    elif not isinstance(data.get("images"), dict | NoneType | BaseModel):
        raise mistake("give where the pictures lie, or a mapping with `source`", "images")
    if isinstance(data.get("prompts"), list):
        data["prompts"] = {"texts": data["prompts"]}
    elif not isinstance(data.get("prompts", {}), dict | BaseModel):
        raise mistake("give a list of texts, or a mapping with a template and its variables", "prompts")
    sampling = data.get("sampling")
    if isinstance(sampling, dict) and "seeds" not in data and type(sampling.get("most")) is int:
        data["seeds"] = sampling["most"]
    lists = {key: data[key] for key in _EXPANDED if isinstance(data.get(key), list | tuple)}
    swept = {key: [_swept(key, item).values() for item in lists.get(key, ())] for key in ("models", "guidance")}
    check_size(data, swept, most_images)
    if "seeds" in data:
        data["seeds"] = _seeds(data["seeds"])
    if isinstance(data.get("attributes"), dict):
        data["attributes"] = {name: _attribute(name, item) for name, item in data["attributes"].items()}
    attributes = list(data["attributes"]) if isinstance(data.get("attributes"), dict) else []
    for key, items in lists.items():
        data[key] = []
        for index, item in enumerate(items):
            for expanded in _EXPANDED[key](item, attributes) if isinstance(item, dict) else [item]:
                origins[(key, len(data[key]))] = (key, index)
                data[key].append(expanded)
    return data, origins


def _swept(key: str, item: Any) -> dict[str, list]:
    """Return the values that an item of a list sweeps over, by parameter."""
    if not isinstance(item, dict):
        return {}
    return {
        name: values
        for name, values in item.items()
        if isinstance(values, list) and values and (name in SHORT if key == "models" else name not in _GUIDANCE_KEYS)
    }


def _seeds(seeds: Any) -> Any:
    if isinstance(seeds, list | tuple):
        return seeds
    if type(seeds) is int and seeds > 0:
        return list(range(seeds))
    if isinstance(seeds, dict) and set(seeds) <= {"start", "count"} and "count" in seeds:
        start, count = seeds.get("start", 0), seeds["count"]
        if type(start) is int and type(count) is int and count > 0:
            return list(range(start, start + count))
    raise mistake(f"give a count, a list of whole numbers, or {{start, count}}, not {str(seeds)[:60]}", "seeds")


def _attribute(name: str, data: Any) -> Any:
    """Write groups out as {group: {text, target}}: from a list, from texts, from targets that stand apart."""
    if not isinstance(data, dict) or "groups" not in data:
        return data
    if not isinstance(data["groups"], dict | list):
        raise mistake("give a list of groups, or a mapping of group to text", "attributes", name, "groups")
    groups, target = data["groups"], data.get("target")
    if isinstance(groups, list):
        if other := [group for group in groups if isinstance(group, dict | list)]:
            raise mistake(f"a group is a word or a text, not {str(other[0])[:60]}", "attributes", name, "groups")
        groups = {str(group): str(group) for group in groups}
    if target is not None and not isinstance(target, dict):
        example = "{female: 0.5, male: 0.5}"
        raise mistake(f"target must be a mapping of group to share, such as {example}", "attributes", name)
    for group in target or {}:
        if group not in groups:
            raise mistake(f"no such group{near(group, groups)}", "attributes", name, "target", group)
    _check_target(target or {}, "attributes", name, "target")
    rest = {key: value for key, value in data.items() if key not in ("groups", "target")}
    full = {}
    for group, value in groups.items():
        item = dict(value) if isinstance(value, dict) else {"text": value}
        share = item.get("target") if target is None else target.get(group, 0.0)
        full[group] = {"text": None, **item, "target": share}
    silent = 1 / len(full) if all(item["target"] is None for item in full.values()) and full else 0.0
    for item in full.values():
        if item["target"] is None:
            item["target"] = silent
    return {"groups": full, **rest}


def _check_target(target: dict, *loc: str) -> None:
    """Refuse shares where they are written: once they stand with their groups, nobody finds them there."""
    shares = [share for share in target.values() if share is not None]
    for group, share in target.items():
        if share is not None and not (isinstance(share, int | float) and 0 <= share <= 1):
            raise mistake(f"give a share from 0 to 1, such as 0.4, not {str(share)[:60]}", *loc, group)
    if shares and abs(math.fsum(shares) - 1) > 1e-6:
        raise mistake(f"the target shares sum to {math.fsum(shares):g}, not to 1", *loc)


def _models(item: dict, attributes: list[str]) -> list[dict]:
    item = {"name": _name_of_source(item.get("source")), **item}
    # In the order of SHORT, which is that of a derived name's parts.
    swept = _swept("models", {key: item[key] for key in SHORT if key in item})
    return [{**item, **chosen, "name": name} for chosen, name in _grid(item["name"], swept, SHORT)]


def _name_of_source(source: Any) -> Any:
    return str(source).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].removesuffix(".safetensors")


def _guidance(item: dict, attributes: list[str]) -> list[dict]:
    swept = _swept("guidance", item)
    item = {"name": _name_of_class(item.get("method")), "attributes": attributes, **_flat_params(item, _GUIDANCE_KEYS)}
    if not isinstance(item["params"], dict):
        return [item]
    return [
        {**item, "name": name, "params": {**item["params"], **chosen}}
        for chosen, name in _grid(item["name"], swept, {})
    ]


def expand_classifier(item: dict) -> dict:
    """Return a classifier with its flat parameters in their place, and the name of its kind where it has none."""
    return {"name": _name_of_class(item.get("kind")), **_flat_params(item, _CLASSIFIER_KEYS)}


def _classifiers(item: dict, attributes: list[str]) -> list[dict]:
    return [expand_classifier(item)]


def _name_of_class(variant: Any) -> Any:
    """Return the name by which a method or a classifier goes where none is given: of one's own, that of the class."""
    return variant.rpartition(":")[2] if isinstance(variant, str) else variant


def _flat_params(item: dict, own_keys: tuple[str, ...]) -> dict:
    """Move the keys that are not the item's own, written flat beside them, into its params."""
    own = {key: value for key, value in item.items() if key in own_keys}
    flat = {key: value for key, value in item.items() if key not in own_keys}
    nested = own.get("params", {})
    return {**own, "params": {**nested, **flat} if isinstance(nested, dict) else nested}


def _grid(name: Any, swept: dict[str, list], short: dict[str, str]) -> list[tuple[dict, Any]]:
    """Return every combination of the swept values with its derived name, such as fair-scale4."""
    combinations = []
    for values in product(*swept.values()):
        chosen = dict(zip(swept, values, strict=True))
        parts = [f"{short.get(key, key)}{_text(value)}" for key, value in chosen.items()]
        combinations.append((chosen, "-".join([str(name), *parts]) if parts else name))
    return combinations


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


_EXPANDED = {"models": _models, "guidance": _guidance, "classifiers": _classifiers}
