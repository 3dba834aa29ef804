"""Everything at once on four simulated cards of two nodes: what is lost, what is named, and what it costs in time."""

import json
import os
import shutil
import threading
import time

import pytest
from ray._private import utils

from support import warm
from support.checks import ask, shards, wait_for
from support.clusters import node_options, start_cluster

SEEDS = 40
SECONDS_A_BATCH = 4.0
# Batches of seconds stand for those of minutes, and so Ray notices in seconds that a node is gone.
HEALTH = {"health_check_period_ms": 500, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 3}


class TwoNodes:
    """A cluster of a head without cards and the nodes a and b, of two simulated cards each."""

    def __init__(self, folder):
        self._folder = folder
        self.cluster = start_cluster({"num_cpus": 0, "node_name": "head", "_system_config": HEALTH})
        self._nodes = {}
        for name in "ab":
            self.add(name)

    def add(self, name: str) -> None:
        """Let a node come, or come back under another id of Ray's."""
        os.environ["NODE_LABEL"] = name
        self._nodes[name] = self.cluster.add_node(**node_options(num_cpus=2, num_gpus=2, node_name=name))
        del os.environ["NODE_LABEL"]

    def kill(self, name: str) -> None:
        """End a node as a machine that loses its power does."""
        self.cluster.remove_node(self._nodes[name], allow_graceful=False)

    def generators(self, name: str) -> int:
        """Return how many generators have started on a node."""
        raylet = self._nodes[name].all_processes["raylet"][0].process.pid
        return sum(worker.startswith("ray::Generator") for worker in warm.workers(raylet))

    def set_faults(self, *faults: dict) -> None:
        """Say what goes wrong from now on; see support/plugins/faulty.py."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        (self._folder / "faults.json").write_text(json.dumps(faults))


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    """Return the two nodes."""
    monkeypatch.setenv("FAIRSWEEP_DEVICE", "faulty:Card")
    monkeypatch.setenv("FAULTS_FOLDER", str(tmp_path / "faults"))
    # Ray sets it where a node starts, and only the main thread may.
    monkeypatch.setattr(utils, "set_sigterm_handler", lambda handler: None)
    nodes = TwoNodes(tmp_path / "faults")
    yield nodes
    nodes.cluster.shutdown()


@pytest.mark.slow
def test_all_faults_at_once_cost_what_they_touch(nodes, run_sweep, tiny_data, tiny_model, tmp_path):
    """A bad card, a node that dies twice, a loader without memory, a model that cannot be read, and a poison row.

    How much longer it takes than a run without faults is printed: a busy machine decides that, too.
    """
    data = tiny_data | {"guidance": [{"method": "none"}], "seeds": SEEDS, "run": {"batch_size": 2, "cpus_per_actor": 1}}
    slow = {"fault": "slow", "seconds": SECONDS_A_BATCH}

    def timed(root):
        start = time.monotonic()
        outcome = run_sweep(data, root, address=nodes.cluster.address)
        return outcome, time.monotonic() - start

    nodes.set_faults(slow)
    clean, clean_seconds = timed(tmp_path / "clean")
    assert clean.complete and clean.made == 2 * SEEDS and not clean.losses

    broken, root = tmp_path / "broken", tmp_path / "store"
    shutil.copytree(tiny_model, broken)
    next((broken / "unet").glob("*.safetensors")).write_bytes(b"no weights")
    data["models"] = [*data["models"], data["models"][0] | {"name": "broken", "source": str(broken)}]
    nodes.set_faults(
        slow,
        {"fault": "no_cuda", "node": "b", "gpu": "0"},
        {"fault": "load", "node": "a", "gpu": "1", "times": 1},
        {"fault": "poison", "text": "nurse 7;"},
    )

    def strike() -> None:
        for made in (SEEDS // 7, SEEDS * 3 // 4):
            wait_for(lambda made=made: shards(root) >= made and nodes.generators("b") == 2)
            nodes.kill("b")
            if made == SEEDS // 7:
                nodes.add("b")

    thread = threading.Thread(target=strike)
    thread.start()
    outcome, seconds = timed(root)
    thread.join()
    print(f"clean {clean_seconds:.0f} s, all faults at once {seconds:.0f} s: {seconds / clean_seconds:.2f} times")
    print(*outcome.losses, sep="\n")

    assert (outcome.made, outcome.labelled, outcome.failed_labels) == (2 * SEEDS - 1, 2 * SEEDS - 1, 0)
    failed = "select plan.model, plan.prompt, seed, error from plan join images using (image_id) where error > ''"
    [(_, prompt, seed, error)] = ask(root, f"from ({failed}) where model = 'tiny'")
    assert ("nurse" in prompt, seed) == (True, 7)
    assert "it ends the process that works on it" in error and "simulated card, gpu" in error
    assert ask(root, "select count(*), count(distinct image_id) from image_files where error is null") == [
        (2 * SEEDS - 1, 2 * SEEDS - 1)
    ]
    assert list(outcome.refused_models) == ["broken"] and "Unable to load weights" in outcome.refused_models["broken"]
    assert outcome.failed_images == 2 * SEEDS + 1
    for loss in ("no usable CUDA: simulated", "OutOfMemoryError: CUDA out of memory. Simulated", "its process ended"):
        assert any(line.partition(": ")[0].split(", ")[1:] and loss in line for line in outcome.losses), loss
    assert "node b: left alone: it was lost 2 times" in outcome.losses
