"""What the tests share: a small real model in a folder, specs over it, and a local Ray cluster on free ports."""

import os
import signal
import sys
from pathlib import Path

import pytest
import yaml

from fairsweep.leaving import Leaving
from fairsweep.memory import keep_freed_memory, sleep_while_waiting
from support.buckets import ENVIRONMENT, serve
from support.clusters import start_cluster
from support.specs import small_sweep

# Fixtures that have a home of their own.
pytest_plugins = ("support.explorer",)

TESTS = Path(__file__).resolve().parent
# Ray's workers must find what the tests' specs name, "pixels:Pixels", as any user's; a test cluster needs no token.
PLUGINS = TESTS / "support" / "plugins"
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, filter(None, [TESTS, PLUGINS, os.environ.get("PYTHONPATH")])))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["RAY_AUTH_MODE"] = "disabled"
# What hundreds of processes import is compiled once, whatever the shell says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ |= ENVIRONMENT
# What a script starts in the background ignores Ctrl-C, and so would the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The tests' own process is a Ray driver too, and ends as fairsweep's do.
LEAVING = Leaving()
# They compute as well, side by side.
keep_freed_memory()
sleep_while_waiting()


# Files of minutes, longest first. Side by side they begin in this order, before all others: one of minutes
# that began last would run alone.
LONGEST = (
    "docs_commands",
    "audit_data",
    "faults",
    "kills",
    "cluster",
    "guidance_portraits",
    "portraits_training",
    "run",
    "bench",
    "submit",
    "guidance_options",
    "measure",
    "report",
    "report_sweeps",
    "track",
    "coverage",
    "anytime",
    "stopping",
    "rounds",
)


def pytest_collection_modifyitems(config, items) -> None:
    """Put the longest files first where files are dealt out to processes."""
    if hasattr(config, "workerinput"):
        rank = {f"test_{name}": place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def pytest_sessionfinish(exitstatus) -> None:
    """Keep what the run of the tests will end with."""
    LEAVING.code = int(exitstatus)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Return the folder of a Stable Diffusion pipeline with random weights: real, and fast."""
    from support import tiny

    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny.build_sd().save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_data(tiny_model) -> dict:
    """Return the data of a small sweep of the tiny model."""
    return small_sweep(tiny_model)


@pytest.fixture
def write_spec(tmp_path):
    """Return a function that writes a spec's data as YAML and returns the file."""

    def write(data: dict, name: str = "spec.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def s3():
    """Return the address of an S3 server on this machine, which this process and those it starts use for s3://."""
    with serve() as address:
        yield address


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch) -> str:
    """Return the address of an empty place in a bucket; what is mirrored of it lies in the test's own folder."""
    from fairsweep.store import cache

    home = tmp_path / "cache"
    home.mkdir()
    monkeypatch.setattr(cache, "_home", lambda: home)
    return f"s3://bucket/{tmp_path.name}"


@pytest.fixture(scope="session")
def ray_cluster():
    """Return the address of a cluster of one node with four CPUs."""
    cluster = start_cluster({"num_cpus": 4})
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="session")
def run_sweep(ray_cluster):
    """Return a function that runs a spec's data over a store on the session's cluster and returns the outcome."""
    from rich.console import Console

    from fairsweep.engine import cluster
    from fairsweep.engine.run import Run
    from fairsweep.spec import SweepSpec
    from fairsweep.store import Store

    def run(data: dict, root: Path | str, limit: int | None = None, address: str | None = None):
        store = Store(root)
        with store.lock(), cluster.connected(address or ray_cluster):
            return Run(SweepSpec.model_validate(data), store, Console(quiet=True)).execute(limit)

    return run
