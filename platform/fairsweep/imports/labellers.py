"""Who labels images that exist: classifiers as a command names them, over the groups that it declares."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from fairsweep.errors import ImportDataError
from fairsweep.mistakes import first_mistake
from fairsweep.spec import LabelSpec
from fairsweep.spec.document import dotted, parse
from fairsweep.spec.expand import expand_classifier


def label_spec(groups: Mapping[str, Sequence[str]], texts: Sequence[str], name: str | None = None) -> LabelSpec:
    """Return the checked classifiers over declared groups; raises ImportDataError or SpecError.

    texts: each a kind, module:Class, or as in a spec, such as "{kind: open_clip, model: ViT-L-14}".
    name: what the classifier is called, where there is one.
    """
    if not groups:
        raise ImportDataError("declare the groups, such as --groups gender=female,male")
    if not texts:
        raise ImportDataError("say who labels the images, such as --classifier open_clip")
    items = []
    for text in texts:
        item = parse(text, Path("--classifier"))[0] if text.lstrip().startswith("{") else {"kind": text}
        kind = item.get("kind")
        named = {"name": name or (kind.rpartition(":")[2] if isinstance(kind, str) else kind)}
        items.append(expand_classifier({**named, **item} if name is None else {**item, **named}))
    declared = {
        attribute: {"groups": {group: {"text": group, "target": 1 / len(names)} for group in names}}
        for attribute, names in groups.items()
    }
    try:
        return LabelSpec.model_validate({"attributes": declared, "classifiers": items})
    except ValidationError as error:
        loc, message = first_mistake(error, LabelSpec)
        place = tuple(part for part in loc if part != "params")
        raise ImportDataError(f"--groups and --classifier: {dotted(place)}: {message}") from None
