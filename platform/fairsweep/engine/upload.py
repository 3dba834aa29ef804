"""What a job takes along to a cluster: the folder, measured before it is sent, and the environment it runs in."""

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from fairsweep.errors import ClusterError
from fairsweep.spec import SweepSpec

_LEFT_OUT = (".git", ".venv", "__pycache__", "fairsweep-store", "*.parquet", "mlflow.db", "mlruns", "node_modules")
_NAMED = 3
_FIRST_YEAR = 1980
# Passed on without being asked for, where it is set: without it no gated model loads.
_TOKEN = "HF_TOKEN"
# Rights to buckets, which would stand in the job's description.
_KEPT = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_CLIENT_SECRET",
    }
)


def check_size(folder: Path) -> None:
    """Raise ClusterError, with the largest files, where the folder is more than Ray's dashboard takes."""
    from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE

    total = package_size(folder)
    if total < DASHBOARD_CLIENT_MAX_SIZE:
        return
    sizes = {path: path.stat().st_size for path in uploaded(folder)}
    largest = sorted(sizes, key=lambda path: sizes[path], reverse=True)[:_NAMED]
    named = ", ".join(f"{path.relative_to(folder)} ({_mib(sizes[path])})" for path in largest)
    limit = _mib(DASHBOARD_CLIENT_MAX_SIZE)
    raise ClusterError(
        f"the folder to upload, {folder}, has {_mib(total)}, and Ray takes less than {limit}: "
        f"leave files out by a line in .rayignore, or name another folder with --working-dir; the largest: {named}"
    )


def package_size(folder: Path) -> int:
    """Return the bytes that Ray will send, a little more rather than less: it packs without compressing."""
    # Each file stands in the package with its name twice, and two headers.
    return sum(path.stat().st_size + 2 * len(str(path.relative_to(folder))) + 128 for path in uploaded(folder)) + 128


def uploaded(folder: Path) -> list[Path]:
    """Return the files of the folder that Ray uploads: .gitignore and .rayignore hold, and what is never needed.

    Raises ClusterError for what Ray would hang on, or give up on with an error that names no file.
    """
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    files: list[Path] = []

    def gather(path: Path) -> None:
        if why := _unfit(path):
            name = ascii(str(path.relative_to(folder)))
            raise ClusterError(f"the folder to upload, {folder}, holds {name}, {why}: leave it out in .rayignore")
        files.append(path)

    include_gitignore = os.environ.get("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "0") != "1"
    excludes = [_get_excludes(folder, list(_LEFT_OUT))]
    silent = logging.Logger("uploaded", logging.CRITICAL)
    _dir_travel(folder, excludes, gather, include_gitignore=include_gitignore, logger=silent)
    return [path for path in files if path.is_file()]


def _unfit(path: Path) -> str:
    """Say what keeps a path from being packed; "" where nothing does."""
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
        return "whose name is no UTF-8"
    if path.is_symlink() and path.is_dir() and path.parent.resolve().is_relative_to(path.resolve()):
        return "a link to a folder that it lies in"
    if path.is_fifo():
        return "a pipe"
    if path.is_file() and time.localtime(path.stat().st_mtime).tm_year < _FIRST_YEAR:
        return f"dated before {_FIRST_YEAR}, which its ZIP cannot hold"
    return ""


def runtime_env(spec: SweepSpec, path: Path, folder: Path, names: Iterable[str]) -> dict:
    """Return what the job runs in: the folder or the spec's image, the spec's other wishes, and variables.

    path: the spec's, inside the folder; modules beside it are found, and the package of a checkout. names: of variables
    to pass on from here; raises ClusterError where one is not set or cannot be passed on.
    """
    wishes = dict(spec.run.runtime_env or {})
    variables = {"PYTHONUNBUFFERED": "1", **wishes.pop("env_vars", {})}
    for name in dict.fromkeys([*names, *([_TOKEN] if _TOKEN in os.environ else [])]):
        if name in _KEPT:
            role = "give the nodes a role that may use the bucket"
            raise ClusterError(f"--env {name}: whoever reaches the cluster's dashboard could read it: {role}")
        if name not in os.environ:
            raise ClusterError(f"--env {name}: no variable of that name is set here")
        if "$" in os.environ[name]:
            raise ClusterError(f"--env {name}: its value holds a $, which Ray would read as the name of a variable")
        variables[name] = os.environ[name]
    package = ["platform"] if (folder / "platform" / "fairsweep").is_dir() else []
    beside = str(path.resolve().relative_to(folder).parent)
    paths = dict.fromkeys([*package, beside, *filter(None, [variables.get("PYTHONPATH")])])
    upload = {} if "image_uri" in wishes else {"working_dir": str(folder), "excludes": list(_LEFT_OUT)}
    return {**wishes, **upload, "env_vars": variables | {"PYTHONPATH": os.pathsep.join(paths)}}


def passed_on(environment: dict, spec: SweepSpec) -> list[str]:
    """Return the names of the variables that the job is given from here."""
    own = {"PYTHONUNBUFFERED", "PYTHONPATH", *(spec.run.runtime_env or {}).get("env_vars", {})}
    return [name for name in environment["env_vars"] if name not in own]


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
