"""What people start clusters from: the cluster file, the Dockerfile, the job for Kubernetes; checked without either."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from ray.autoscaler._private.util import hash_runtime_conf, prepare_config, validate_config

from fairsweep.store.places import bucket_address

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "ray_cluster.yaml"
JOB = ROOT / "deploy" / "rayjob.yaml"


@pytest.fixture(scope="module")
def config() -> dict:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dockerfile() -> list[list[str]]:
    """Return the instructions as lists of words."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [shlex.split(line) for line in lines if line.strip() and not line.startswith("#")]


def locked(package: str) -> str:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = {Requirement(line).name: line for line in lines if line and not line.startswith("#")}
    return found[package].split("==")[1]


def pip_steps(commands: list[list[str]]) -> list[list[str]]:
    """Return what each `pip install` installs and whether with dependencies, without the options about output."""
    quiet = {"--quiet", "--disable-pip-version-check", "--no-cache-dir"}
    steps = [command[command.index("install") + 1 :] for command in commands if "pip" in str(command[:4])]
    return [[word for word in step if word not in quiet] for step in steps]


def test_ray_accepts_the_cluster_file(config):
    prepared = prepare_config(yaml.safe_load(FILE.read_text()))
    validate_config(prepared)
    head = prepared["available_node_types"][prepared["head_node_type"]]
    assert head["resources"]["CPU"] == 0
    workers = [node for name, node in prepared["available_node_types"].items() if name != prepared["head_node_type"]]
    assert all(node["resources"]["GPU"] == 1 for node in workers)
    assert any(node["node_config"].get("InstanceMarketOptions") == {"MarketType": "spot"} for node in workers)


def test_every_node_names_its_machine_image(config):
    """Where none is named Ray takes one of 2023, whose driver is too old for this torch."""
    for node in config["available_node_types"].values():
        image = node["node_config"]["ImageId"]
        assert re.fullmatch(r"resolve:ssm:/aws/service/deeplearning/ami/x86_64/[a-z0-9.-]+/latest/ami-id", image)


def test_a_worker_whose_card_cannot_be_used_is_given_up_at_its_start(config):
    (check,) = [command for command in config["worker_setup_commands"] if command.startswith("python")]
    code = shlex.split(check)[2]
    with pytest.raises((AssertionError, RuntimeError)):
        exec(code.replace("'cuda'", "'cuda:99'"), {})


def test_what_is_mounted_is_there_and_small(config):
    mounts = {target: Path(source) for target, source in config["file_mounts"].items() if not source.startswith("~")}
    assert all((ROOT / source).exists() for source in mounts.values())
    assert {source.name for source in mounts.values()} >= {
        "platform",
        "metrics",
        "dashboards",
        "jobs",
        "pyproject.toml",
    }
    files = [
        path for source in mounts.values() for path in (ROOT / source).rglob("*") if "__pycache__" not in str(path)
    ]
    assert len(files) < 1000 and not any(".venv" in str(path) for path in files)
    hash_runtime_conf({target: str(ROOT / source) for target, source in mounts.items()}, [], {})


def test_results_models_and_the_token_lie_where_they_should(config):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (store,) = re.findall(r"fairsweep submit jobs/occupations.yaml .*--store (\S+)", readme)
    mounted = [option.split()[1].split(":")[1] for option in config["docker"]["run_options"] if option.startswith("-v")]
    (models,) = mounted
    assert bucket_address(store) == store
    assert store in FILE.read_text(encoding="utf-8")
    assert any(models in command for command in config["initialization_commands"])
    assert f"-e HF_HOME={models}" in config["docker"]["run_options"]
    workers = [node for node in config["available_node_types"].values() if "GPU" in node["resources"]]
    assert all(node["node_config"]["IamInstanceProfile"]["Name"] for node in workers), "a role, and no keys"
    assert "AWS_" not in FILE.read_text(encoding="utf-8")
    starts = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
    assert sum("RAY_AUTH_MODE=token" in command for command in starts) == 2
    assert "RAY_AUTH_TOKEN" not in FILE.read_text(encoding="utf-8")
    assert config["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"


def test_apt_knows_of_packages_before_it_installs_them(config):
    for command in config["initialization_commands"] + config["setup_commands"]:
        assert "apt-get install" not in command.split("apt-get update")[0]


def test_every_way_installs_what_the_makefile_does(config, dockerfile):
    """The lock, and the package itself without dependencies; the sources that the package needs are there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile[makefile.index("$(INSTALLED):") : makefile.index("lock:")]
    ours = pip_steps([shlex.split(line.strip().lstrip("@")) for line in recipe.splitlines() if "pip install" in line])
    assert ours == [["-r", "requirements.lock"], ["--no-deps", "-e", "."]]
    assert pip_steps([words for words in dockerfile if words[0] == "RUN"]) == ours
    cluster = pip_steps([shlex.split(command) for command in config["setup_commands"]])
    assert cluster == [["-r", "/home/ray/fairsweep/requirements.lock"], ["--no-deps", "/home/ray/fairsweep"]]
    copied = {word for words in dockerfile if words[0] == "COPY" for word in words[2:-1]}
    assert all((ROOT / name).exists() for name in copied)
    packaged = yaml.safe_load(re.search(r"only-include = (\[.*\])", (ROOT / "pyproject.toml").read_text())[1])
    assert {"pyproject.toml", "README.md", "LICENSE"} | {Path(path).parts[0] for path in packaged} <= copied


def test_images_hold_the_ray_of_the_lock(config, dockerfile):
    image = f"rayproject/ray:{locked('ray')}-py311"
    assert {config["docker"]["head_image"], config["docker"]["worker_image"], dockerfile[0][1]} == {image}
    assert yaml.safe_load(JOB.read_text())["spec"]["rayClusterSpec"]["rayVersion"] == locked("ray")


def test_what_ray_up_imports_is_an_extra():
    (line,) = re.findall(r"^aws = \[(.*)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert "boto3" in line
    assert "pip install -e '.[run,aws]'" in FILE.read_text(encoding="utf-8")


def test_the_job_for_kubernetes_has_what_kuberay_requires():
    job = yaml.safe_load(JOB.read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in cluster["workerGroupSpecs"]:
        assert {"groupName", "minReplicas", "maxReplicas", "template", "rayStartParams"} <= group.keys()
    store = shlex.split(job["spec"]["entrypoint"])[-1]
    assert bucket_address(store) == store
    _mounts_what_it_has(groups, None)
    assert {group["template"]["spec"]["serviceAccountName"] for group in groups} == {"fairsweep"}, "a role, and no keys"
    assert "AWS_" not in JOB.read_text(encoding="utf-8")
    # KubeRay passes these on as text.
    assert all(isinstance(value, str) for group in groups for value in group["rayStartParams"].values())
    assert (ROOT / shlex.split(job["spec"]["entrypoint"])[2]).is_file()


def test_the_job_for_kubernetes_takes_a_volume_without_its_marks():
    text = JOB.read_text(encoding="utf-8")
    head, _, body = text.partition("apiVersion:")
    (store,) = re.findall(r"--store (/\S+),", head)
    cluster = yaml.safe_load("apiVersion:" + body.replace("#v ", ""))["spec"]["rayClusterSpec"]
    _mounts_what_it_has([cluster["headGroupSpec"], *cluster["workerGroupSpecs"]], store)


def _mounts_what_it_has(groups: list[dict], store: str | None) -> None:
    """Check that every container mounts volumes of its pod, and where a store is a path that it can be seen."""
    for group in groups:
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        for container in pod["containers"]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", ())}
            assert mounts.keys() <= volumes
            assert store is None or Path(store).is_relative_to(mounts["results"])
