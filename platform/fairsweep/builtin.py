"""The models that ship with the package, under names that a spec can use, and what is known of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from fairsweep.errors import ModelLoadError, near
from fairsweep.registry import find

BUILTIN = {"builtin:portraits": Path(__file__).resolve().parent / "portraits" / "weights" / "pipeline"}
CLIP = {"builtin:portraits": Path(__file__).resolve().parent / "portraits" / "weights" / "clip"}
# Model -> the name of a distribution that is known of it -> the function that returns its rows.
REFERENCES = {"builtin:portraits": {"portraits-planted": "fairsweep.portraits.world:planted_shares"}}

# Model -> the function that yields pictures of its world: name, picture, attribute -> the group that it shows.
PICTURES = {"builtin:portraits": "fairsweep.portraits.faces:faces"}


def resolve_source(source: str) -> str:
    """Return the folder of a built-in model, and any other source as it is."""
    if not source.startswith("builtin:"):
        return source
    if source not in BUILTIN:
        raise ModelLoadError(f"no built-in model {source!r}{near(source, BUILTIN)}")
    return str(BUILTIN[source])


def resolve_clip(model: str) -> str:
    """Return a built-in open_clip model as open_clip takes it, and any other as it is."""
    if model.startswith("builtin:") and model not in CLIP:
        raise ModelLoadError(f"no built-in open_clip model {model!r}{near(model, CLIP)}")
    return f"local-dir:{CLIP[model]}" if model in CLIP else model


def reference_names(sources: Iterable[str]) -> list[str]:
    """Return the names of the distributions that are known of the built-in models among the sources."""
    return sorted({name for source in sources for name in REFERENCES.get(source, ())})


def references(sources: Iterable[str]) -> Iterator[tuple[str, list[dict]]]:
    """Yield the name and the rows of each distribution that is known of the built-in models among the sources."""
    for source in sorted(set(sources) & REFERENCES.keys()):
        for name, function in REFERENCES[source].items():
            yield name, [{**row, "model": source} for row in find(function, {}, "reference")()]
