"""A run's own Ray cluster: where it listens, and what a user sees when it is gone."""

import subprocess
import sys

import psutil
import pytest

from support.checks import ask, shards, wait_for

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


@pytest.fixture
def run(tiny_data, tmp_path, write_spec):
    """Start `fairsweep run` on a cluster of its own, and return the process once it has stored images."""
    data = tiny_data | {"seeds": 400}
    data["models"][0]["steps"] = 25
    data["run"] = {"batch_size": 2, "cpus_per_actor": 1}
    command = [sys.executable, "-c", "from fairsweep.cli import main; main()", "run", str(write_spec(data))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, "--store", str(tmp_path / "store")], **pipes)
    wait_for(lambda: shards(tmp_path / "store") >= 2 or process.poll() is not None)
    yield process
    process.kill()


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def named(process: subprocess.Popen, name: str) -> psutil.Process:
    [found] = [member for member in family(process) if member.name() == name]
    return found


def ends_in_one_line(process: subprocess.Popen, what: str) -> None:
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert errors == (
        f"error: the Ray cluster is gone: {what} does not answer any more; what was made is in the store, and the same "
        "command resumes\n"
    )
    assert "raylet" not in printed and "Traceback" not in printed


@pytest.mark.slow
def test_a_runs_own_cluster_is_on_loopback_alone_at_its_priority_and_its_raylets_end_is_one_line(run, tmp_path):
    members = family(run)
    sockets = [(member.name(), *socket.laddr) for member in members for socket in listening(member)]
    assert {name for name, *_ in sockets} >= {"raylet", "gcs_server"}
    assert [socket for socket in sockets if socket[1] not in LOOPBACK] == []
    assert {member.nice() for member in members} == {psutil.Process().nice()}
    named(run, "raylet").kill()
    ends_in_one_line(run, "its raylet on this machine")
    assert_gone(members)
    assert ask(tmp_path / "store", "select count(*) > 0 from images where error is null") == [(True,)]


@pytest.mark.slow
def test_the_end_of_a_runs_head_is_one_line(run):
    members = family(run)
    named(run, "gcs_server").kill()
    ends_in_one_line(run, "its head")
    assert_gone(members)


def listening(process: psutil.Process) -> list:
    return [socket for socket in process.net_connections() if socket.status == psutil.CONN_LISTEN]


def assert_gone(processes: list[psutil.Process]) -> None:
    """Check that nothing of a cluster is left behind: Ray's own processes may look for their head for a minute."""
    psutil.wait_procs(processes, timeout=120)
    assert [process for process in processes if alive(process)] == []


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
