"""The suites that ship: specs without a model, to be run for any."""

import os
import re
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from fairsweep import shipped
from fairsweep.errors import SpecError, near


@dataclass(frozen=True)
class Suite:
    """One suite: the name it goes by, and its file."""

    name: str
    path: Path


def list_suites() -> list[Suite]:
    """Return the suites by name, each small variant after its own."""
    suites = [Suite(path.stem, path) for path in (shipped.path("jobs") / "suites").glob("*.yaml")]
    return sorted(suites, key=attrgetter("name"))


def find(spec: str | Path, folder: Path = Path()) -> Path:
    """Return the path of a spec, relative to a folder; the name of a suite is its file, unless a file is called so.

    Raises SpecError for a name that is neither.
    """
    path = folder / spec
    if os.path.exists(path) or not re.fullmatch(r"[\w-]{1,60}", str(spec)):
        return path
    suites = {suite.name: suite.path for suite in list_suites()}
    if str(spec) not in suites:
        raise SpecError(f"there is no such file, and no suite of this name{near(str(spec), suites)}", str(path))
    return suites[str(spec)]
