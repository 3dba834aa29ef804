"""What Tab offers beside commands and options: specs, suites, sweeps, metrics; nothing where that fails."""

import os
from collections.abc import Callable, Iterable
from functools import wraps
from shlex import quote

import typer


def _offered(names: Callable[[typer.Context, str], Iterable[str]]) -> Callable[[typer.Context, str], list[str]]:
    """Offer the names that begin as what is typed does, as far as a shell takes them as they are."""

    @wraps(names)
    def offer(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return [name for name in names(ctx, incomplete) if name.startswith(incomplete) and quote(name) == name]
        except Exception:
            # A traceback in the middle of the line that is being typed helps nobody; the command itself says more.
            return []

    return offer


def _suites() -> list[str]:
    from fairsweep.spec.suites import list_suites

    return [suite.name for suite in list_suites()]


@_offered
def suites(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Offer the suites."""
    return _suites()


@_offered
def specs(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Offer the YAML files and the folders of the folder that is typed, and the suites."""
    folder, _, _ = incomplete.rpartition("/")
    prefix = f"{folder}/" if "/" in incomplete else ""
    with os.scandir(os.path.expanduser(prefix or ".")) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir() and not entry.name.startswith("."):
                yield f"{prefix}{entry.name}/"
            elif entry.name.endswith((".yaml", ".yml")):
                yield f"{prefix}{entry.name}"
    yield from _suites()


@_offered
def sweeps(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Offer the sweeps of the store that the line names, if it is a folder: a bucket takes too long to ask."""
    from fairsweep.store import Store, sweeps

    root = ctx.params.get("store") or "fairsweep-store"
    return [] if "://" in root else sweeps.newest_first(Store(root))


@_offered
def metrics(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Offer the shipped metrics."""
    from fairsweep import shipped

    return sorted(path.stem for path in shipped.path("metrics").glob("*.sql"))
