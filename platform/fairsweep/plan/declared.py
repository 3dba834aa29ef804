"""What a sweep declares besides its images: targets of groups, the settings it runs under, who labels."""

import json
from collections.abc import Callable, Iterable

from fairsweep import builtin
from fairsweep.attributes import WHOLE_IMAGE
from fairsweep.errors import StoreError
from fairsweep.spec import ClassifierSpec, GuidanceSpec, LabelSpec, SweepSpec
from fairsweep.store import Store


def edit_scale(setting: GuidanceSpec) -> float | None:
    """Return the strength of a setting's edit, where it has a single one that no pilot chooses."""
    if setting.calibrate and setting.calibrate.scales:
        return None
    scale = setting.params.get("scale")
    return float(scale) if isinstance(scale, int | float) else None


def targets(spec: SweepSpec) -> list[dict]:
    """Return one row per attribute and declared group, with the classifiers that cannot tell the group."""
    return [
        {
            "sweep": spec.name,
            "attribute": name,
            "group": group,
            "group_text": declared.text,
            "target": declared.target,
            "position": position,
            "unknown_to": unknown_to(spec.classifiers, name, group),
        }
        for name, attribute in spec.attributes.items()
        for position, (group, declared) in enumerate(attribute.groups.items())
    ]


def unknown_to(classifiers: Iterable[ClassifierSpec], attribute: str, group: str) -> list[str]:
    """Return the names of the classifiers that read an attribute and cannot tell one of its groups."""
    known = {classifier.name: classifier.known_groups for classifier in classifiers}
    return [name for name, groups in known.items() if groups and group not in groups.get(attribute, (group,))]


def settings(spec: SweepSpec, rules: Callable[[str, str], list[str]] = lambda model, setting: []) -> list[dict]:
    """Return one row per model and setting; rules: those by which decisions of such a cell count."""
    own = builtin.reference_names(model.source for model in spec.models)
    references = own if spec.references is None else list(spec.references)
    return [
        {
            "sweep": spec.name,
            "model": model.name,
            "setting": setting.name,
            "method": setting.method,
            "guidance_scale": model.guidance_scale,
            "scale": edit_scale(setting),
            "attributes": list(setting.attributes),
            "params": json.dumps(setting.params, sort_keys=True),
            "baseline": setting.method == "none",
            "references": references,
            "rules": rules(model.name, setting.name),
            "readers": readers(spec),
        }
        for model in spec.models
        for setting in spec.guidance
    ]


def readers(spec: SweepSpec) -> list[str]:
    """Return the names of the classifiers whose labels are a sweep's, whoever else labels images that it shares."""
    return [classifier.name for classifier in spec.classifiers]


def wanted_attributes(spec: SweepSpec | LabelSpec, classifier: ClassifierSpec) -> tuple[str, ...]:
    """Return the declared attributes that a classifier can tell; the whole-image row where it can tell none."""
    groups = classifier.known_groups
    return tuple(name for name in spec.attributes if groups is None or name in groups) or (WHOLE_IMAGE,)


def lead(spec: SweepSpec | LabelSpec, attribute: str) -> str | None:
    """Return the first classifier of a spec that can tell an attribute: whose labels stand for it."""
    return next((each.name for each in spec.classifiers if attribute in wanted_attributes(spec, each)), None)


def undecidable(spec: SweepSpec) -> list[str]:
    """Return a line for each attribute that a round is to decide, and of which its classifier cannot tell a group."""
    rounds = [setting for setting in spec.guidance if setting.calibrate or setting.pilot_seeds]
    names = spec.attributes if spec.sampling else {name: None for setting in rounds for name in setting.attributes}
    lines = []
    for name in names:
        reader = lead(spec, name)
        untold = [
            group for group in spec.attributes[name].groups if reader in unknown_to(spec.classifiers, name, group)
        ]
        if untold:
            lines.append(
                f"no round decides {name}: {reader}, whose labels stand for it, cannot tell {', '.join(untold)}"
            )
    return lines


def readings(spec: SweepSpec, names: Iterable[str]) -> tuple[dict, list]:
    """Return what is looked for, of these attributes, and who looks: what every rule of a decision goes by."""
    return (
        {name: spec.attributes[name].model_dump(mode="json") for name in names},
        [classifier.model_dump(mode="json") for classifier in spec.classifiers],
    )


def check_classifiers(spec: SweepSpec | LabelSpec, store: Store) -> None:
    """Refuse a classifier under a name whose labels in the store were made with other settings."""
    for classifier in spec.classifiers:
        now, before = classifier.model_dump(mode="json"), store.read_classifier(classifier.name)
        if before is None:
            store.write_classifier(classifier.name, now)
        elif before != now:
            raise StoreError(
                f"the labels of classifier {classifier.name!r} in {store.root} were made with other settings: "
                "give it another name, or use another store"
            )
