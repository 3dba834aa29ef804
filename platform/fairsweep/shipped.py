"""Find the folders that ship beside the package (metrics, dashboards, jobs), and the user's cache."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """Return the folder `name`: inside the wheel if it was installed from one, else at the repository's root."""
    for folder in (_PACKAGE / "_shipped" / name, _PACKAGE.parents[1] / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"fairsweep was installed without its folder {name!r}: reinstall the package")


def cache() -> Path:
    """Return the folder of the user's cache for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairsweep"
