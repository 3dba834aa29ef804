"""Ctrl-C ends a command in a line, wherever it is: within a query DuckDB raises something else in its place."""

import os
import signal
import threading
from contextlib import contextmanager, nullcontext

import pytest

from fairsweep import cli
from fairsweep.engine import cluster
from fairsweep.engine.run import Run
from fairsweep.measure.sql import in_memory
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.tracking import track

# Long, and not endless: where nobody hears the Ctrl-C, a test fails.
LONG = "select count(*) from range(200000) a, range(200000) b"
SPEC = {
    "name": "audit",
    "models": [{"source": "builtin:portraits"}],
    "prompts": {"texts": ["a photo of the face of a nurse"]},
    "attributes": {"gender": {"groups": ["female", "male"]}},
    "guidance": [{"method": "none"}],
    "classifiers": [{"kind": "portraits"}],
    "seeds": 2,
}


@contextmanager
def ctrl_c(seconds: float):
    """Press Ctrl-C after so many seconds."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    yield
    timer.join()


def take_long(*_, **__):
    with ctrl_c(0.3), in_memory() as connection:
        connection.execute(LONG)


@pytest.fixture
def store(tmp_path) -> Store:
    """Return a store with a plan, and one image."""
    import pyarrow.parquet as pq

    store = Store(tmp_path / "store")
    first = pq.read_table(write_plan(SweepSpec.model_validate(SPEC), store)).to_pylist()[0]
    store.write_images([{**first, "image": {"bytes": b"png", "path": None}}])
    return store


def test_within_a_query(store, capsys):
    # What it imports is there.
    assert cli.run(["sql", "select 1", "--store", str(store.root)]) == 0
    with ctrl_c(0.5):
        assert cli.run(["sql", LONG, "--store", str(store.root)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_anywhere_else(store, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fairsweep.terminal.preview.show_status", stop)
    assert cli.run(["status", "--store", str(store.root)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_run_within_a_query_logs_what_is_there(store, write_spec, monkeypatch, capfd):
    logged = []
    monkeypatch.setattr(cluster, "connected", lambda *_: nullcontext("nowhere"))
    monkeypatch.setattr(Run, "execute", take_long)
    monkeypatch.setattr(track, "log_sweep", lambda *_, **more: logged.append(more["status"]))
    assert cli.run(["run", str(write_spec(SPEC)), "--store", str(store.root)]) == 130
    printed = capfd.readouterr()
    assert printed.err == "interrupted; the same command resumes\n"
    assert "logging what is there" in printed.out and logged == ["interrupted"]


def test_while_a_run_is_logged(store, write_spec, monkeypatch, capfd):
    outcome = Run(SweepSpec.model_validate(SPEC), store, None).outcome
    monkeypatch.setattr(cluster, "connected", lambda *_: nullcontext("nowhere"))
    monkeypatch.setattr(Run, "execute", lambda *_: outcome)
    monkeypatch.setattr(track, "log_sweep", take_long)
    assert cli.run(["run", str(write_spec(SPEC)), "--store", str(store.root)]) == 130
    printed = capfd.readouterr()
    assert printed.err == "interrupted; the same command resumes\n"
    said = " ".join(printed.out.split())
    assert "not logged to MLflow: interrupted" in said and "log them: fairsweep track --sweep" in said
