"""Find the folders that ship beside the package (metrics, dashboards, jobs), installed or in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """Return the folder `name`: inside the wheel if it was installed from one, else at the repository's root."""
    for folder in (_PACKAGE / "_shipped" / name, _PACKAGE.parents[1] / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"fairsweep was installed without its folder {name!r}: reinstall the package")
