"""What can be told of a model before its weights are loaded: its class, and the name of its scheduler."""

import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fairsweep.builtin import resolve_source
from fairsweep.errors import SpecError, near
from fairsweep.families import EDITORS, FAMILIES, REFUSED, REWRITERS, STARTED_STEPS, UNSUITED, unsuited


def check_names(models: Iterable[Any], guided: bool = False, edits: bool = False) -> None:
    """Raise SpecError for what can be told of ModelSpecs without weights: a model's class, and its scheduler's name.

    guided: some setting edits what a denoiser predicts. edits: they are to start from source pictures.
    """
    for model in models:
        named = model.pipeline != "auto"
        name = _name(model)
        if name in UNSUITED:
            raise SpecError(f"model {model.name}: {unsuited(name)}")
        if name and name not in FAMILIES and (named or not _derives(name)):
            raise SpecError(f"model {model.name}: sweeps do not know the pipeline {name}{near(name, FAMILIES)}")
        if guided and name in REFUSED:
            raise SpecError(
                f"model {model.name}: {name} {REFUSED[name]}: it cannot be guided; leave settings of fair guidance out"
            )
        if name in FAMILIES and model.rewrite and name not in REWRITERS:
            raise SpecError(f"model {model.name}: {name} rewrites no prompts: leave rewrite out")
        if name and edits:
            _check_editor(model, name)
        # Where diffusers is missing, the machines of a cluster have it.
        if model.scheduler and find_spec("diffusers"):
            check_scheduler(model)


def steps_taken(model: Any) -> int:
    """Return how many steps an image of a ModelSpec takes: from a source picture, the last ones that `strength` leaves.

    Flow-matching pipelines take a step that strength leaves a part of, the others none; those of a class that the
    model does not name and no folder here tells are counted as the others are.
    """
    if model.strength is None:
        return model.steps
    if _name(model) in STARTED_STEPS:
        return model.steps - int(max(model.steps - model.steps * model.strength, 0))
    return int(model.steps * model.strength)


def _name(model: Any) -> str | None:
    return _class_of(model.source) if model.pipeline == "auto" else model.pipeline


def _check_editor(model: Any, name: str) -> None:
    known = name if name in EDITORS else next((base for base in _bases(name) if base in EDITORS), None)
    if known is None:
        raise SpecError(f"model {model.name}: {name} edits no pictures in a sweep; known: {', '.join(EDITORS)}")
    if model.strength is not None and not EDITORS[known]:
        raise SpecError(f"model {model.name}: {name} edits by instruction and has no strength: leave it out")


def _class_of(source: str) -> str | None:
    """Return the pipeline's class that a folder of this machine names; None where it names none or is none."""
    index = Path(resolve_source(source)).expanduser() / "model_index.json"
    try:
        name = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _derives(name: str) -> bool:
    """Tell whether a class derives from one that sweeps know, or may do so: it is not one of diffusers' own."""
    bases = _bases(name)
    return not bases or any(base in FAMILIES for base in bases)


def _bases(name: str) -> list[str]:
    """Return the names of a class of diffusers and of what it derives from; none where it is not one of diffusers."""
    if not find_spec("diffusers"):
        return []
    import diffusers

    kind = getattr(diffusers, name, None)
    return [base.__name__ for base in kind.__mro__] if kind else []


def check_scheduler(model: Any) -> None:
    """Raise SpecError for a scheduler's name that diffusers does not have."""
    import diffusers

    names = [name for name in dir(diffusers) if name.endswith("Scheduler")]
    if model.scheduler not in names:
        raise SpecError(
            f"model {model.name}: no scheduler {model.scheduler!r} in diffusers{near(model.scheduler, names)}"
        )
