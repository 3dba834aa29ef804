"""The JSON Schema of a spec as it is written in YAML: with flat parameters, grids and short forms."""

from typing import Any

from pydantic import BaseModel

from fairsweep.attributes import AttributeSpec
from fairsweep.spec import ClassifierSpec, GuidanceSpec, ModelSpec, SweepSpec
from fairsweep.spec.expand import SHORT


def spec_schema() -> dict[str, Any]:
    """Return the schema; every key of the models, of the shipped guidance methods and of the shipped classifiers."""
    from fairsweep.classifiers import CLASSIFIERS, get_classifier
    from fairsweep.methods import METHODS, get_method

    schema = SweepSpec.model_json_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    properties["extends"] = {"type": "string", "description": "a spec whose keys hold where this one is silent"}
    for name in SHORT:
        _or_list(definitions[ModelSpec.__name__], name)
    definitions[ModelSpec.__name__]["required"] = ["source"]
    definitions["PromptsSpec"]["properties"]["variables"]["additionalProperties"] = {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {
                "type": "object",
                "properties": {"file": {"type": "string"}, "column": {"type": "string"}},
                "required": ["file"],
                "additionalProperties": False,
            },
        ]
    }
    rows = definitions["PromptsSpec"]["properties"]["rows"]
    file = {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]}
    definitions["PromptsSpec"]["properties"]["rows"] = {
        "anyOf": [{"type": "array", "items": rows["items"]}, {**file, "additionalProperties": False}],
        "description": rows["description"],
    }
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    properties["prompts"] = {"anyOf": [properties["prompts"], texts]}
    count = {"type": "integer", "minimum": 1}
    span = {"type": "object", "properties": {"start": {"type": "integer"}, "count": count}, "required": ["count"]}
    properties["seeds"] = {"anyOf": [count, properties["seeds"], span]}
    definitions[AttributeSpec.__name__] = _attribute(definitions[AttributeSpec.__name__])
    methods = {name: get_method(name).Params for name in METHODS}
    kinds = {name: get_classifier(name).Params for name in CLASSIFIERS}
    definitions[GuidanceSpec.__name__] = _variants(definitions, GuidanceSpec, "method", methods, grid=True)
    definitions[ClassifierSpec.__name__] = _variants(definitions, ClassifierSpec, "kind", kinds, grid=False)
    # A file that extends another need say nothing itself, and models may be given to the command.
    required = [name for name in schema.pop("required") if name != "models"]
    schema["anyOf"] = [{"required": required}, {"required": ["extends"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "fairsweep sweep"}


def _attribute(full: dict) -> dict:
    text = {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/GroupSpec"}]}}
    names = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    target = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
    properties = {"groups": {"anyOf": [text, names]}, "target": target}
    return full | {"properties": properties}


def _variants(
    definitions: dict, kind: type[BaseModel], key: str, variants: dict[str, type[BaseModel]], grid: bool
) -> dict:
    """Return one schema per variant, its own parameters standing beside the common keys; and one for users' own."""
    common = {name: value for name, value in definitions[kind.__name__]["properties"].items() if name != "params"}
    kinds = []
    for name, params in variants.items():
        own = params.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(own.pop("$defs", {}))
        schema = {"properties": {**common, **own.get("properties", {}), key: {"const": name}}}
        for parameter in own.get("properties", {}) if grid else ():
            _or_list(schema, parameter)
        required = [key, *own.get("required", ())]
        kinds.append({"type": "object", **schema, "required": required, "additionalProperties": False})
    users = {"type": "object", "properties": {**common, key: {"type": "string", "pattern": ":"}}, "required": [key]}
    return {"anyOf": [*kinds, users]}


def _or_list(schema: dict, name: str) -> None:
    """Let a key hold a list too: each value is a setting of its own."""
    one = {key: value for key, value in schema["properties"][name].items() if key not in ("default", "title")}
    notes = {key: value for key, value in schema["properties"][name].items() if key in ("default", "title")}
    schema["properties"][name] = {**notes, "anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
