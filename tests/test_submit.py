"""Jobs of a real Ray cluster with its dashboard, on free ports."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.checks import assert_exactly_once
from support.clusters import free_port, start_cluster

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster with a dashboard."""
    cluster = start_cluster({"num_cpus": 2, "include_dashboard": True, "dashboard_port": free_port()})
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def dashboard(cluster):
    """Return the address of the dashboard."""
    return f"http://{cluster.head_node.webui_url}"


@pytest.fixture
def folder(tiny_data, tmp_path) -> Path:
    """Return a folder to submit from: a checkout's jobs/sweep.py, two specs, and what must not be uploaded."""
    shutil.copytree(ROOT / "jobs", tmp_path / "work" / "jobs")
    for name, change in (("good", {}), ("bad", {"guidance": [{"name": "poisoned", "method": "pixels:Poisoned"}]})):
        text = yaml.safe_dump(tiny_data | change | {"name": name, "seeds": 1}, sort_keys=False)
        (tmp_path / "work" / f"{name}.yaml").write_text(text)
    (tmp_path / "work" / ".venv").mkdir()
    (tmp_path / "work" / ".venv" / "large").write_bytes(bytes(1000))
    return tmp_path / "work"


def submit(folder: Path, spec: str, address: str, store: Path, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "fairsweep.cli", "submit", spec, "--address", address, "--store", str(store)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, **pipes, **options)


def test_a_job_runs_the_sweep_and_a_second_one_is_refused(folder, dashboard, tmp_path):
    job = submit(folder, "good.yaml", dashboard, tmp_path / "store")
    first = job.stdout.readline()
    assert first.startswith("job raysubmit_")
    second = submit(folder, "good.yaml", dashboard, tmp_path / "store")
    _, errors = second.communicate()
    assert second.returncode == 2
    assert f"this spec is running already as {first.strip()}" in errors
    printed, errors = job.communicate()
    assert job.returncode == 0, printed + errors
    assert "4 images made" in printed
    assert_exactly_once(tmp_path / "store", 4)


def test_ray_makes_the_folders_that_the_readme_gives_to_grafana(cluster):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    session = Path(cluster.head_node.get_session_dir_path())
    named = [session / path for path in re.findall(r"/tmp/ray/session_latest/(\S+)", readme)]
    assert [path.name for path in named] == ["dashboards", "grafana.ini"] and all(path.exists() for path in named)
    (provider,) = yaml.safe_load((named[1].parent / "provisioning/dashboards/default.yml").read_text())["providers"]
    assert (provider["options"]["path"], provider["folder"]) == (str(named[0]), "Ray")


def test_a_job_passes_its_exit_status_on(folder, dashboard, tmp_path):
    job = submit(folder, "bad.yaml", dashboard, tmp_path / "store")
    printed, errors = job.communicate()
    assert job.returncode == 1, printed + errors
    assert "1 images and 0 labels failed" in printed


def test_what_cannot_be_submitted(folder, tmp_path):
    relative = submit(folder, "good.yaml", "http://127.0.0.1:1", Path("store"))
    assert "give --store as an absolute path" in relative.communicate()[1]
    nobody = submit(folder, "good.yaml", f"http://127.0.0.1:{free_port()}", tmp_path / "store")
    _, errors = nobody.communicate()
    assert nobody.returncode == 2
    assert "cannot reach http://127.0.0.1" in errors
