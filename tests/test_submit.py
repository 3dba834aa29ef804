"""Jobs of a real Ray cluster with its dashboard, on free ports."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import ray
import yaml
from ray._private.runtime_env.packaging import create_package
from ray._private.utils import write_ray_address
from ray.job_submission import JobSubmissionClient
from ray.runtime_env import RuntimeEnv

from fairsweep.engine.upload import check_size, package_size, runtime_env, uploaded
from fairsweep.errors import ClusterError
from fairsweep.spec import load_spec
from support.buckets import SECRET
from support.checks import assert_exactly_once, wait_for
from support.clusters import free_port, start_cluster

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster with a dashboard.

    A job joins the cluster that its node's temporary folder names: of those that share one, the last to start.
    """
    # A short path: sockets lie in it.
    with TemporaryDirectory() as folder:
        options = {"include_dashboard": True, "dashboard_port": free_port(), "temp_dir": folder}
        cluster = start_cluster({"num_cpus": 2, **options})
        write_ray_address(cluster.address, folder)
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


def submit(folder: Path, spec: str, address: str, store: Path | str, *more: str, **options) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "fairsweep.cli",
        "submit",
        spec,
        "--address",
        address,
        "--store",
        str(store),
        *more,
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, **pipes, **options)


def test_a_job_runs_the_sweep_into_a_bucket_and_a_second_one_is_refused(folder, dashboard, bucket):
    """The cluster has rights of its own to the bucket, as through its machines' role; the job is told none."""
    here = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    job = submit(folder, "good.yaml", dashboard, bucket, env=here)
    first = job.stdout.readline()
    assert first.startswith("job raysubmit_")
    second = submit(folder, "good.yaml", dashboard, bucket, env=here)
    _, errors = second.communicate()
    assert second.returncode == 2
    assert f"this spec is running already as {first.strip()}" in errors
    printed, errors = job.communicate()
    assert job.returncode == 0, printed + errors
    assert "4 images made" in printed
    assert_exactly_once(bucket, 4)
    told = JobSubmissionClient(dashboard).get_job_info(first.split()[1])
    assert SECRET not in printed + errors + str(told)


def test_ray_makes_the_folders_that_the_readme_gives_to_grafana(cluster):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    session = Path(cluster.head_node.get_session_dir_path())
    named = [session / path for path in re.findall(r"/tmp/ray/session_latest/(\S+)", readme)]
    assert [path.name for path in named] == ["dashboards", "grafana.ini"] and all(path.exists() for path in named)
    (provider,) = yaml.safe_load((named[1].parent / "provisioning/dashboards/default.yml").read_text())["providers"]
    assert (provider["options"]["path"], provider["folder"]) == (str(named[0]), "Ray")


@pytest.mark.slow
def test_a_job_passes_its_exit_status_on_and_the_address_that_is_given_holds(folder, dashboard, tmp_path):
    """Ray's client prefers the address in RAY_ADDRESS; and asks a cluster's other ports without http://."""
    elsewhere = os.environ | {"RAY_ADDRESS": "http://127.0.0.1:1"}
    job = submit(folder, "bad.yaml", dashboard.removeprefix("http://"), tmp_path / "store", env=elsewhere)
    printed, errors = job.communicate()
    assert job.returncode == 1, printed + errors
    assert "1 image and 0 labels failed" in printed


@pytest.mark.slow
def test_variables_go_along_and_modules_beside_the_spec_are_found(folder, dashboard, tmp_path):
    """The value of a variable is told to the cluster and to nobody who reads what is printed."""
    (folder / "mine").mkdir()
    (folder / "mine" / "my_reader.py").write_text("from pixels import Pixels as MyReader\n")
    data = yaml.safe_load((folder / "good.yaml").read_text())
    data["classifiers"] = [{"name": "mine", "kind": "my_reader:MyReader"}]
    data["run"]["runtime_env"] = {"env_vars": {"FROM_THE_SPEC": "spec-value"}}
    (folder / "mine" / "audit.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    here = os.environ | {"MY_SECRET": "secret-value", "HF_TOKEN": "hub-value"}
    here["PYTHONPATH"] = os.pathsep.join([str(folder / "mine"), here["PYTHONPATH"]])
    job = submit(folder, "mine/audit.yaml", dashboard, tmp_path / "store", "--env", "MY_SECRET", env=here)
    printed, errors = job.communicate()
    assert job.returncode == 0, printed + errors
    assert "variables passed on: MY_SECRET, HF_TOKEN" in errors
    assert "-value" not in printed + errors
    given = JobSubmissionClient(dashboard).get_job_info(printed.split()[1]).runtime_env["env_vars"]
    assert {name: given[name] for name in ("MY_SECRET", "HF_TOKEN", "FROM_THE_SPEC")} == {
        "MY_SECRET": "secret-value",
        "HF_TOKEN": "hub-value",
        "FROM_THE_SPEC": "spec-value",
    }


@pytest.fixture
def long(folder) -> Path:
    """Return the folder with a good spec that takes long."""
    data = yaml.safe_load((folder / "good.yaml").read_text())
    data["seeds"] = 400
    (folder / "good.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder


@pytest.mark.slow
def test_a_stopped_job_says_how_it_resumes(long, dashboard, tmp_path):
    job = submit(long, "good.yaml", dashboard, tmp_path / "store")
    name = job.stdout.readline().split()[1]
    client = JobSubmissionClient(dashboard)
    wait_for(lambda: list((tmp_path / "store").glob("images/*/*/*.parquet")))
    client.stop_job(name)
    printed, errors = job.communicate()
    assert job.returncode == 130, errors
    assert errors.endswith(f"job {name} was stopped; the same command resumes\n")
    assert "interrupted; the same command resumes" in printed and "Traceback" not in printed


def test_after_ctrl_c_the_job_goes_on_and_is_named(long, dashboard, tmp_path):
    job = submit(long, "good.yaml", dashboard, tmp_path / "store")
    name = job.stdout.readline().split()[1]
    client = JobSubmissionClient(dashboard)
    wait_for(lambda: client.get_job_status(name) == "RUNNING")
    job.send_signal(signal.SIGINT)
    _, errors = job.communicate()
    try:
        assert job.returncode == 130 and "Traceback" not in errors
        assert f"job {name} goes on: follow it with `ray job logs --follow {name} --address {dashboard}`" in errors
        assert f"stop it with `ray job stop {name} --address {dashboard}`" in errors
        assert client.get_job_status(name) == "RUNNING"
    finally:
        client.stop_job(name)


def test_a_cluster_that_fails_is_one_line(folder, tmp_path):
    class Failing(BaseHTTPRequestHandler):
        def do_GET(self):
            version = self.path.endswith("/version")
            body = json.dumps({"ray_version": ray.__version__}) if version else "Traceback:\n  many\n  lines"
            self.send_response(200 if version else 500)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}"
        job = submit(folder, "good.yaml", address, tmp_path / "store")
        _, errors = job.communicate()
        server.shutdown()
    assert job.returncode == 2
    assert f"the cluster at {address} does not take the job: Request failed with status code 500: Traceback" in errors
    assert len(errors.strip().splitlines()) == 1


def test_what_cannot_be_submitted(folder, tmp_path):
    relative = submit(folder, "good.yaml", "http://127.0.0.1:1", Path("store"))
    assert "or an absolute path that every node" in relative.communicate()[1]
    for scheme in ("http://", ""):
        nobody = submit(folder, "good.yaml", f"{scheme}127.0.0.1:{free_port()}", tmp_path / "store")
        _, errors = nobody.communicate()
        assert nobody.returncode == 2
        assert "cannot reach http://127.0.0.1" in errors and len(errors.strip().splitlines()) == 1
    unset = submit(folder, "good.yaml", "http://127.0.0.1:1", tmp_path / "store", "--env", "NOT_SET_HERE")
    assert "--env NOT_SET_HERE: no variable of that name is set here" in unset.communicate()[1]


def test_a_folder_that_ray_would_not_take_is_measured_first(folder, tmp_path):
    for name, size in (("weights.bin", 80), ("more.bin", 21)):
        with open(folder / name, "wb") as file:
            file.truncate(size << 20)
    large = submit(folder, "good.yaml", f"http://127.0.0.1:{free_port()}", tmp_path / "store")
    _, errors = large.communicate()
    assert large.returncode == 2 and len(errors.strip().splitlines()) == 1
    assert "and Ray takes less than 100.0 MiB" in errors
    assert "the largest: weights.bin (80.0 MiB), more.bin (21.0 MiB), " in errors
    (folder / ".rayignore").write_text("more.bin\n")
    assert folder / "weights.bin" in uploaded(folder) and folder / "more.bin" not in uploaded(folder)
    check_size(folder)


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("loop", lambda path: path.symlink_to("."), "'loop', a link to a folder that it lies in"),
        ("pipe", os.mkfifo, "'pipe', a pipe"),
        ("bad\udcff.txt", Path.touch, r"'bad\udcff.txt', whose name is no UTF-8"),
        ("old.txt", lambda path: (path.touch(), os.utime(path, (0, 0))), "'old.txt', dated before 1980"),
    ],
)
def test_what_ray_cannot_pack_is_named_first(folder, name, make, why):
    make(folder / name)
    with pytest.raises(ClusterError) as raised:
        check_size(folder)
    assert why in str(raised.value) and str(raised.value).endswith(": leave it out in .rayignore")
    (folder / ".rayignore").write_text(f"{name[:3]}*\n")
    check_size(folder)


def test_what_is_measured_is_what_ray_packs(folder, tmp_path):
    with open(folder / "weights.bin", "wb") as file:
        file.truncate(3 << 20)
    environment = runtime_env(load_spec(folder / "good.yaml"), folder / "good.yaml", folder, [])
    package = tmp_path / "package.zip"
    create_package(environment["working_dir"], package, include_gitignore=True, excludes=environment["excludes"])
    with zipfile.ZipFile(package) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
    assert names == {str(path.relative_to(folder)) for path in uploaded(folder)}
    assert ".venv/large" not in names
    sizes = sum(path.stat().st_size for path in uploaded(folder))
    # The names and headers that are reckoned with are at least those that Ray writes.
    assert sizes < package.stat().st_size <= package_size(folder)


def test_an_image_of_ones_own_holds_the_folder(folder):
    spec = load_spec(folder / "good.yaml")
    image = {"image_uri": "registry.example/audit:1", "env_vars": {"A": "1"}}
    spec = spec.model_copy(update={"run": spec.run.model_copy(update={"runtime_env": image})})
    environment = runtime_env(spec, folder / "good.yaml", folder, [])
    RuntimeEnv(**environment)
    assert environment["image_uri"] == image["image_uri"] and "working_dir" not in environment
