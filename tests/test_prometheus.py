"""A real Prometheus scrapes a real run, and answers every query of the Grafana dashboard."""

import json
import shutil
import subprocess

import pytest
import requests

from fairsweep import shipped
from support.clusters import METRICS_EACH_SECOND, free_port, start_cluster
from support.pages import until
from support.specs import small_sweep

PROMETHEUS = shutil.which("prometheus")
# What a machine without GPUs leaves empty.
GPUS = {"GPU use", "GPU memory"}


def panels() -> dict[str, list[str]]:
    """Return the queries of each panel, by its title."""
    board = json.loads((shipped.path("dashboards") / "grafana.json").read_text(encoding="utf-8"))
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in board["panels"]}


@pytest.fixture
def exported(monkeypatch):
    """Yield a cluster, and the port on which it tells its metrics."""
    monkeypatch.setenv(*METRICS_EACH_SECOND)
    port = free_port()
    cluster = start_cluster({"num_cpus": 2, "metrics_export_port": port})
    yield cluster, port
    cluster.shutdown()


@pytest.fixture
def ask(exported, tmp_path):
    """Yield a function that asks a Prometheus, which scrapes the cluster, and returns the value of each label."""
    _, port = exported
    job = {"job_name": "ray", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    # JSON is YAML, too.
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
    place = f"127.0.0.1:{free_port()}"
    command = [PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={place}"]
    with open(tmp_path / "prometheus.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)

    def answer(query: str) -> dict[str, float]:
        said = requests.get(f"http://{place}/api/v1/query", params={"query": query}, timeout=10).json()
        assert said["status"] == "success", said
        return {label: float(row["value"][1]) for row in said["data"]["result"] for label in row["metric"].values()}

    yield answer
    server.terminate()
    server.wait(30)


@pytest.mark.slow
@pytest.mark.skipif(
    not PROMETHEUS, reason="no Prometheus: install prometheus (Debian) to check the dashboard's queries"
)
def test_every_panel_shows_what_a_run_did(exported, ask, run_sweep, tiny_model, tmp_path):
    cluster, _ = exported
    run_sweep(small_sweep(tiny_model), tmp_path / "store", address=cluster.address)
    shown = panels()
    (made,), (failed,), (stages,) = (
        shown[title] for title in ("Images made", "Failures", "Busy seconds per second, by stage")
    )
    until(lambda: ask(made) == {"tiny": 16.0})
    assert ask(failed) == {"tiny": 0.0}
    until(lambda: ask(stages).keys() >= {"load", "write"})
    # Of actors that have ended nothing waits.
    until(lambda: list(map(ask, shown["Batches waiting"])) == [{"tiny": 0.0}, {"pixels": 0.0}])
    for title, queries in shown.items():
        for query in queries:
            # A rate is there from the second scrape on.
            assert (title in GPUS and ask(query) == {}) or until(lambda query=query: ask(query)), title
