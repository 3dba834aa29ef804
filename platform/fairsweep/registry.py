"""Find a variant by its name in a table of lazy "module:name" rows, or the user's own as "module:Class"."""

import inspect
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from fairsweep.errors import FairsweepError, near, reason

# Where plug-ins lie beside the specs that name them: looked into last, here and in the workers of a cluster.
folders: list[str] = []


class UnknownNameError(FairsweepError, ValueError):
    """Report a name that no table knows (a ValueError too, so that a spec reports the line it stands on)."""


def look_in(folder: Path) -> None:
    """Let the modules of a folder be found, after all others."""
    place = str(folder.resolve())
    if place not in sys.path:
        sys.path.append(place)
    if place not in folders:
        folders.append(place)


def find(name: str, table: Mapping[str, str], what: str, base: type | None = None) -> Any:
    """Import and return what `name` stands for.

    `table` maps names to "module:name" rows; a name that itself reads "module:Class" is imported as it is, and must
    be a subclass of `base` that has all of its methods. Raises UnknownNameError that names `what` was looked for, the
    value, and the nearest name.
    """
    if name in table:
        module_name, _, attribute = table[name].partition(":")
        return getattr(import_module(module_name), attribute)
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon):
        raise UnknownNameError(f"unknown {what} {name!r}{near(name, table)} (or your own as 'module:Class')")
    try:
        variant = getattr(import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        places = ", ".join(path for path in sys.path if path and not path.startswith((sys.prefix, sys.base_prefix)))
        raise UnknownNameError(f"{what} {name!r}: no module {error.name!r} in {places}") from None
    except AttributeError:
        raise UnknownNameError(f"{what} {name!r}: the module {module_name!r} has no {attribute!r}") from None
    except (Exception, SystemExit) as error:
        raise UnknownNameError(f"{what} {name!r}: the module cannot be imported: {reason(error)}") from None
    if base and not (isinstance(variant, type) and issubclass(variant, base)):
        raise UnknownNameError(f"{what} {name!r} is no subclass of {base.__module__}.{base.__name__}")
    if base and inspect.isabstract(variant):
        lacking = ", ".join(sorted(variant.__abstractmethods__))
        raise UnknownNameError(f"{what} {name!r} has no {lacking}: write it as {base.__module__}.{base.__name__} says")
    return variant
