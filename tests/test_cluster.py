"""Nodes, simulated GPUs and kills on real Ray: who sits where, and that nothing is lost or made twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from pathlib import Path

import psutil
import pytest
import ray
from mlflow import MlflowClient

from fairsweep.engine import cluster as engine
from fairsweep.engine import crew, dispatch, sizes
from fairsweep.engine.generate import GeneratorActor
from fairsweep.errors import ClusterError
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo, batches
from fairsweep.spec import RunSpec, SweepSpec
from fairsweep.store import Store
from support.checks import ask, assert_exactly_once, shards, wait_for
from support.clusters import METRICS_EACH_SECOND, node_options, start_cluster


@pytest.fixture
def nodes(monkeypatch):
    """Return a function that starts a cluster of its own, with simulated cards, from its nodes' options."""
    monkeypatch.setenv("FAIRSWEEP_DEVICE", "faulty:Card")
    monkeypatch.setenv(*METRICS_EACH_SECOND)
    started = []

    def start(*options: dict):
        started.append(start_cluster(*options))
        return started[-1]

    yield start
    ray.shutdown()
    for cluster in started:
        cluster.shutdown()


@pytest.fixture
def slow_data(tiny_data) -> dict:
    """Return a sweep of 48 images that takes a while."""
    data = tiny_data | {"seeds": 12}
    data["models"][0]["steps"] = 25
    data["run"] = {"batch_size": 2, "actors": 2, "cpus_per_actor": 1}
    return data


def strike(root: Path, blow) -> threading.Thread:
    """Deal the blow once the first shards are there, while the sweep goes on."""

    def wait() -> None:
        wait_for(lambda: shards(root) >= 2)
        blow()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def generator_processes() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [process for process in children if process.name().startswith("ray::Generator")]


def counted(metric: str) -> float | None:
    """Return the sum of a metric over what the nodes tell Prometheus; None where none tells it."""
    values: list[float] = []
    for node in ray.nodes():
        address = f"http://127.0.0.1:{node['MetricsExportPort']}/metrics"
        text = urllib.request.urlopen(address).read().decode()
        values += [float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"ray_{metric}")]
    return sum(values) if values else None


@pytest.mark.slow
def test_every_actor_sits_on_a_device_of_its_own_and_all_work(tiny_data, tmp_path, nodes):
    cluster = nodes({"num_cpus": 2, "num_gpus": 2}, {"num_cpus": 2, "num_gpus": 2})
    spec = SweepSpec.model_validate(tiny_data | {"seeds": 16})
    store = Store(tmp_path)
    path = write_plan(spec, store)
    with engine.connected(cluster.address):
        size = sizes.generator_size(RunSpec(), batches=16)
        assert (size.actors, size.gpus) == (4, 1)
        actors = [engine.start(GeneratorActor, size, spec, Store(tmp_path), 1) for _ in range(size.actors)]
        places = [place.device for place in ray.get([actor.ready.remote() for actor in actors])]
        assert len(set(places)) == 4
        assert Counter(place.split(", ")[1] for place in places) == {"gpu 0": 2, "gpu 1": 2}
        with Todo(store, path) as todo:
            streams = {"model tiny": batches(path, todo.missing())}
        given = iter(actors)
        staff = crew.Crew(lambda: next(given), lambda: 4)
        dispatcher = dispatch.Dispatcher(staff, lambda actor, batch: actor.make.remote(batch), streams)
        made = 0
        for report in dispatcher.run(lambda: None):
            made += report.made
            if made == 64:
                # Actors stay until the run is over. A straggler's batch goes to an idle one too and counts twice.
                wait_for(lambda: (counted("fairsweep_images_generated") or 0) >= 64)
                assert counted("fairsweep_stage_seconds") > 0
                assert counted("fairsweep_images_failed") == 0
                wait_for(lambda: counted("fairsweep_queue_depth") == 0)
        assert made == 64
    assert {row[0] for row in ask(tmp_path, "select distinct device from images")} == set(places)


@pytest.mark.parametrize(
    ("cards", "gpus", "classifier_gpus", "actors"),
    [(4, 0.5, 0, 8), (1, 1, 1, 0), (1, 0.5, 0.5, 1), (16, 1, 1, 12), (16, 1, 0.25, 15), (2, 1, 0.5, 1)],
)
def test_generators_leave_room_for_the_label_actors_beside_them(cards, gpus, classifier_gpus, actors):
    assert sizes.room(cards, gpus, classifier_gpus) == actors


def test_what_a_machine_can_never_give_is_refused_in_one_line():
    for asked in ({"gpus_per_actor": 1, "classifier_gpus": 1}, {"classifier_gpus": 0.5, "gpus_per_actor": 1}):
        with pytest.raises(ClusterError, match=r"run.classifier_gpus is .*, and this machine has 1 GPUs: join"):
            sizes.check_room(RunSpec(**asked), cards=1, cpus=2)
    with pytest.raises(ClusterError, match=r"run.cpus_per_actor is 4, and this machine has 2 CPUs: join"):
        sizes.check_room(RunSpec(cpus_per_actor=4), cards=0, cpus=2)
    sizes.check_room(RunSpec(gpus_per_actor=0.5, classifier_gpus=0.5), cards=1, cpus=2)
    sizes.check_room(RunSpec(cpus_per_actor=2), cards=0, cpus=2)
    sizes.check_room(RunSpec(), cards=0, cpus=1)


@pytest.mark.slow
def test_a_share_of_a_device_is_shared(tiny_data, tmp_path, nodes):
    cluster = nodes({"num_cpus": 2, "num_gpus": 1})
    spec = SweepSpec.model_validate(tiny_data)
    with engine.connected(cluster.address):
        size = sizes.generator_size(RunSpec(gpus_per_actor=0.5), batches=16)
        assert (size.actors, size.gpus) == (2, 0.5)
        actors = [engine.start(GeneratorActor, size, spec, Store(tmp_path), 1) for _ in range(size.actors)]
        places = [place.device for place in ray.get([actor.ready.remote() for actor in actors])]
    assert [place.split(", ")[1] for place in places] == ["gpu 0", "gpu 0"]


def test_without_a_gpu_the_cpus_are_shared_out(nodes):
    cluster = nodes({"num_cpus": 0})
    with engine.connected(cluster.address):
        # A cluster that grows on demand sees one actor that waits.
        assert sizes.generator_size(RunSpec(), batches=9) == sizes.Size(1, 1, 0)
        assert sizes.generator_size(RunSpec(gpus_per_actor=1), batches=9) == sizes.Size(1, 1, 1)
        cluster.add_node(**node_options(num_cpus=4))
        one = sizes.generator_size(RunSpec(), batches=9)
        assert (one.actors, one.cpus, one.threads) == (1, 4, 4)
        two = sizes.generator_size(RunSpec(actors=2), batches=9)
        assert (two.actors, two.cpus, two.threads) == (2, 2, 2)
        assert sizes.generator_size(RunSpec(cpus_per_actor=1), batches=2).actors == 2


def test_no_actor_lies_across_nodes_and_cards_without_cpus_are_named(nodes):
    cluster = nodes({"num_cpus": 0})
    with engine.connected(cluster.address):
        silent, _ = sizes.reservations(RunSpec())
        assert "set run.gpus_per_actor" in silent
        (one,) = sizes.reservations(RunSpec(gpus_per_actor=1))
        assert one == "no node is there yet, and one actor is asked for: set run.actors to as many as are to come"
        assert not list(sizes.reservations(RunSpec(gpus_per_actor=1, actors=4)))
        for _ in range(2):
            cluster.add_node(**node_options(num_cpus=4))
        assert sizes.generator_size(RunSpec(cpus_per_actor=2.5)).actors == 2
        assert not list(sizes.reservations(RunSpec(cpus_per_actor=2.5)))
        cluster.add_node(**node_options(num_cpus=2, num_gpus=4))
        assert sizes.generator_size(RunSpec(gpus_per_actor=1)).actors == 2
        (unused,) = sizes.reservations(RunSpec())
        assert unused.startswith("2 of 4 GPUs will have no actor: each actor holds 1 CPUs beside it")
        assert sizes.generator_size(RunSpec(gpus_per_actor=1, cpus_per_actor=0.5)).actors == 4
        assert not list(sizes.reservations(RunSpec(cpus_per_actor=0.5)))


@pytest.mark.slow
def test_a_run_that_starts_without_a_node_grows_as_nodes_appear(tiny_data, tmp_path, run_sweep, nodes, monkeypatch):
    monkeypatch.setattr(crew, "_ASK_EVERY_SECONDS", 0.5)
    # Ray sets it where a node starts, and only the main thread may.
    monkeypatch.setattr(ray._private.utils, "set_sigterm_handler", lambda handler: None)
    cluster = nodes({"num_cpus": 0})
    data = tiny_data | {"seeds": 24, "run": {"batch_size": 2, "cpus_per_actor": 1, "gpus_per_actor": 1}}
    data["models"][0]["steps"] = 25
    puts, put = [], ray.put
    monkeypatch.setattr(ray, "put", lambda value: puts.append(type(value)) or put(value))

    def grow() -> None:
        cluster.add_node(**node_options(num_cpus=1, num_gpus=1))
        wait_for(lambda: shards(tmp_path) >= 2)
        cluster.add_node(**node_options(num_cpus=1, num_gpus=1))
        # Linux ends a node with the thread that started it.
        over.wait()

    over = threading.Event()
    thread = threading.Thread(target=grow, daemon=True)
    thread.start()
    outcome = run_sweep(data, tmp_path, address=cluster.address)
    over.set()
    thread.join()
    assert outcome.complete and not outcome.losses
    assert_exactly_once(tmp_path, 96)
    assert len(set(outcome.places)) == 2
    # Once, however many actors there are.
    assert puts == [SweepSpec]


def test_a_killed_worker_costs_nothing(slow_data, tmp_path, run_sweep):
    def kill() -> None:
        os.kill(generator_processes()[0].pid, signal.SIGKILL)

    thread = strike(tmp_path, kill)
    outcome = run_sweep(slow_data, tmp_path)
    thread.join()
    assert outcome.complete
    assert_exactly_once(tmp_path, 48)
    assert run_sweep(slow_data, tmp_path).made == 0


@pytest.mark.slow
def test_a_killed_node_costs_only_its_batches_in_flight(slow_data, tmp_path, run_sweep, nodes, monkeypatch):
    monkeypatch.setattr(crew, "GONE_AFTER_SECONDS", 3.0)
    monkeypatch.setattr(crew, "_ASK_EVERY_SECONDS", 1.0)
    cluster = nodes({"num_cpus": 0}, {"num_cpus": 1}, {"num_cpus": 1})
    # Its only CPU is gone with it: the lost actor cannot come back, and the other one takes its batches over.
    lost = cluster.list_all_nodes()[-1]
    thread = strike(tmp_path, lambda: cluster.remove_node(lost, allow_graceful=False))
    outcome = run_sweep(slow_data, tmp_path, address=cluster.address)
    thread.join()
    assert outcome.complete
    assert_exactly_once(tmp_path, 48)


@pytest.mark.slow
def test_an_interrupted_and_a_killed_driver_resume(slow_data, tmp_path, ray_cluster, write_spec):
    store = tmp_path / "store"
    # One actor, which four drivers start anew: it is they who end here.
    data = slow_data | {"run": slow_data["run"] | {"actors": 1}}
    command = [sys.executable, "-c", "from fairsweep.cli import main; main()", "run", str(write_spec(data))]
    command += ["--store", str(store), "--address", ray_cluster]

    def start(*more: str) -> subprocess.Popen:
        return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def logged() -> dict[str, str]:
        # Each time anew: a run makes a file of MLflow runs that holds none yet afresh.
        runs = MlflowClient(f"sqlite:///{store}/mlflow.db")
        found = runs.search_runs([e.experiment_id for e in runs.search_experiments()])
        return {run.info.run_id: run.info.status for run in found}

    for how in (signal.SIGINT, signal.SIGTERM):
        before = shards(store)
        driver = start()
        wait_for(lambda before=before: shards(store) >= before + 2)
        driver.send_signal(how)
        _, errors = driver.communicate()
        assert driver.returncode == 130, errors
        assert errors == "interrupted; the same command resumes\n"
        interrupted = logged()
        assert set(interrupted.values()) == {"KILLED"}
    before = shards(store)
    driver = start("--no-track")
    wait_for(lambda: shards(store) >= before + 2)
    driver.kill()
    driver.communicate()
    assert shards(store) < 24
    driver = start()
    printed, errors = driver.communicate()
    assert driver.returncode == 0, errors
    assert "images 0/48" not in printed
    assert "were there already" in printed
    assert logged() == dict.fromkeys(interrupted, "FINISHED")
    assert_exactly_once(store, 48)


@pytest.mark.slow
def test_label_actors_are_used_in_turn_from_the_first_batch(tiny_data, tmp_path, run_sweep, nodes, monkeypatch):
    """Two generators beside two label actors: their first batches go to different ones, their next to the others."""
    monkeypatch.setattr(sizes, "_GENERATORS_PER_LABELLER", 1)
    # However long one of them takes to start, both draw two batches.
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "faults.json").write_text(json.dumps([{"fault": "meet", "batches": 2, "processes": 2}]))
    monkeypatch.setenv("FAULTS_FOLDER", str(faults))
    cluster = nodes({"num_cpus": 4, "num_gpus": 4})
    data = tiny_data | {"seeds": 8, "classifiers": [{"name": "signed", "kind": "pixels:Signed"}]}
    data["run"] = {"batch_size": 4, "actors": 2, "cpus_per_actor": 1, "gpus_per_actor": 1, "classifier_gpus": 1}
    outcome = run_sweep(data, tmp_path / "store", address=cluster.address)
    assert outcome.complete and outcome.labelled == 32
    query = """select device, list(process order by made) from (
        select device, batch, min(created) as made, min(label_rows.score) as process
        from images join plan using (image_id) join label_rows using (image_id)
        where attribute = 'gender' group by device, batch
    ) group by device"""
    first, second = (processes for _, processes in ask(tmp_path / "store", query))
    assert first[0] != second[0]
    assert set(first[:2]) == set(second[:2]) == {first[0], second[0]}


@pytest.mark.slow
def test_what_a_cluster_can_never_give_is_refused_where_nobody_adds_nodes(nodes, monkeypatch):
    cluster = nodes({"num_cpus": 1, "num_gpus": 1})
    for asked, said in (
        ({"gpus_per_actor": 1, "classifier_gpus": 1}, "and this cluster has 1 GPUs: start nodes that have them"),
        ({"cpus_per_actor": 2}, "no node of this cluster has more than 1 CPUs: start nodes that have them"),
    ):
        with pytest.raises(ClusterError, match=said), engine.connected(cluster.address, RunSpec(**asked)):
            pass
    # KubeRay and `ray up` set it on every node that they start.
    monkeypatch.setenv("RAY_NODE_TYPE_NAME", "workers")
    grown = nodes({"num_cpus": 1, "num_gpus": 1})
    with engine.connected(grown.address, RunSpec(gpus_per_actor=1, classifier_gpus=1)) as where:
        assert where.startswith("joined")


@pytest.mark.slow
def test_a_driver_that_is_ended_while_its_cluster_starts_says_how_to_go_on(tiny_data, tmp_path, write_spec):
    command = [sys.executable, "-m", "fairsweep.cli", "run", str(write_spec(tiny_data)), "--store", str(tmp_path / "s")]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started = psutil.Process(driver.pid)
    wait_for(lambda: any("gcs_server" in child.name() for child in started.children(recursive=True)))
    children = started.children(recursive=True)
    driver.send_signal(signal.SIGTERM)
    _, errors = driver.communicate()
    assert (driver.returncode, errors) == (130, "interrupted; the same command resumes\n")
    psutil.wait_procs(children, timeout=60)
    assert not any(child.is_running() for child in children)
