"""What the tests share: a small real model in a folder, specs over it, and a local Ray cluster on free ports."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
import yaml

from fairsweep.leaving import Leaving

TESTS = Path(__file__).resolve().parent
# Ray's workers must find the tests' own classifiers and guidance methods too; a test cluster needs no token.
os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["RAY_metrics_report_interval_ms"] = "1000"  # noqa: SIM112 (spelt so by Ray)
# What a script starts in the background ignores Ctrl-C, and so would the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The tests' own process is a Ray driver too, and ends as fairsweep's do.
LEAVING = Leaving()


def pytest_sessionfinish(exitstatus) -> None:
    """Keep what the run of the tests will end with."""
    LEAVING.code = int(exitstatus)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def node_options(**more) -> dict:
    """Return the options of a cluster's node; with its agents' ports given, Ray does not wait for them to start."""
    ports = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    return {"include_dashboard": False, **{name: free_port() for name in ports}, **more}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Return the folder of a Stable Diffusion pipeline with random weights: real, and fast."""
    import tiny

    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny.build_sd().save_pretrained(folder)
    return folder


def small_sweep(model: Path) -> dict:
    """Return a spec's data: one model, two prompts, unguided and fair, four seeds."""
    return {
        "name": "tiny",
        "models": [{"name": "tiny", "source": str(model), "steps": 2, "guidance_scale": 3}],
        "prompts": {
            "template": "a photo of the face of a {occupation}",
            "variables": {"occupation": ["nurse", "doctor"]},
        },
        "attributes": {
            "gender": {"groups": {"female": "female person", "male": "male person"}},
            "age": {"groups": {"young": "young person", "old": "old person"}},
        },
        "guidance": [{"method": "none"}, {"method": "fair", "warmup_steps": 0}],
        "classifiers": [{"name": "pixels", "kind": "pixels:Pixels"}],
        "seeds": 4,
        "run": {"batch_size": 4, "actors": 1, "cpus_per_actor": 1},
    }


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


def start_cluster(*nodes: dict):
    """Start a local Ray cluster from its nodes' options; a busy machine may need more than one try."""
    from ray.cluster_utils import Cluster

    for attempt in range(5):
        cluster = Cluster()
        try:
            for options in nodes:
                cluster.add_node(**node_options(**options))
            return cluster
        except Exception:
            cluster.shutdown()
            if attempt == 4:
                raise


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

    def run(data: dict, root: Path, limit: int | None = None, address: str | None = None):
        with cluster.connected(address or ray_cluster):
            return Run(SweepSpec.model_validate(data), Store(root), Console(quiet=True)).execute(limit)

    return run
