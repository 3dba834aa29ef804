"""Find a variant by its name in a table of lazy "module:name" rows, or the user's own as "module:Class"."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fairsweep.errors import FairsweepError, near


class UnknownNameError(FairsweepError, ValueError):
    """Report a name that no table knows (a ValueError too, so that a spec reports the line it stands on)."""


def find(name: str, table: Mapping[str, str], what: str) -> Any:
    """Import and return what `name` stands for.

    `table` maps names to "module:name" rows; a name that itself reads "module:Class" is imported as it is.
    Raises UnknownNameError that names `what` was looked for, the value, and the nearest known name.
    """
    if name not in table and ":" not in name:
        raise UnknownNameError(f"unknown {what} {name!r}{near(name, table)} (or your own as 'module:Class')")
    module_name, _, attribute = table.get(name, name).partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if name in table:
            raise
        raise UnknownNameError(f"{what} {name!r}: no module {error.name!r} on the Python path") from None
    except AttributeError:
        raise UnknownNameError(f"{what} {name!r}: the module {module_name!r} has no {attribute!r}") from None
