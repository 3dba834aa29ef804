"""What a user gets wrong about places, ports and names is one line, said before any work is done."""

import os
import subprocess
import sys

import pytest

from fairsweep import cli
from support.synthetic import build


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty working folder with a file in it."""
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build(tmp_path_factory.mktemp("audit") / "store", prompts=("doctor",), seeds=2)


@pytest.fixture
def read_only(tmp_path):
    """Return a folder that takes no files, not even those of root."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    command = ["chattr", "+i", str(folder)] if os.geteuid() == 0 else ["chmod", "555", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no folder can be made read-only here")
    yield folder
    subprocess.run(["chattr", "-i", str(folder)] if os.geteuid() == 0 else ["chmod", "755", str(folder)], check=True)


def refused(capsys, *words: str) -> str:
    """Return the one line in which a command refuses."""
    assert cli.run(list(words)) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1, printed.err
    assert not printed.out
    return printed.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("report -o missing/r.html", "there is no folder"),
        ("report -o .", "that is a folder"),
        ("show --prompt doctor -o g.xyz", "must end in one of .png"),
        ("show --prompt doctor -o missing/g.png", "there is no folder"),
        ("status --store file", "is a file"),
        ("measure --store file/below", "is a file"),
        ("run spec.yaml --store file", "is a file"),
        ("import x.csv --store file/below", "is a file"),
        ("calibrate --store file", "is a file"),
        ("calibrate --groups nope=a,b", "portraits have no 'nope'"),
        ("calibrate --groups gender=female,female", "--groups"),
        ("portraits render -o file", "is a file"),
        ("portraits evaluate --models missing", "holds no pipeline"),
        ("portraits train -o models --device tpu", "expected cpu, cuda or cuda:1"),
        ("portraits train -o models --device cuda:99", "CUDA devices"),
    ],
)
def test_a_place_that_cannot_be(words, reason, folder, capsys):
    assert reason in refused(capsys, *words.split())
    assert [path.name for path in folder.iterdir()] == ["file"]


@pytest.mark.parametrize("command", ["explore", "ui"])
def test_a_port_that_is_none(command, capsys):
    assert cli.run([command, "--port", "99999999"]) == 2
    assert "65535" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["run spec.yaml --store {}/store", "report -o {}/r.html", "portraits render -o {}/p"])
def test_a_folder_that_is_read_only(words, read_only, capsys):
    line = refused(capsys, *words.format(read_only).split())
    assert str(read_only) in line


def test_a_disk_that_refuses_is_told_with_its_place(store, capsys):
    """Whatever no check foresaw."""
    (store.root / "settings").rename(store.root / "aside")
    (store.root / "settings").write_text("")
    try:
        source = store.root.parent / "counts.csv"
        source.write_text("prompt,female,male\nnurse,3,4\n")
        line = refused(capsys, "import", str(source), "--groups", "gender=female,male", "--store", str(store.root))
    finally:
        (store.root / "settings").unlink()
        (store.root / "aside").rename(store.root / "settings")
    assert str(store.root / "settings") in line


def test_an_mlflow_that_is_none(store, capsys):
    line = refused(capsys, "track", "--mlflow", "garbage://x", "--store", str(store.root))
    assert "MLflow at garbage://x could not be logged to" in line


def test_a_run_has_a_cluster_of_its_own_beside_one_that_runs(tiny_data, tmp_path, ray_cluster, write_spec):
    spec = write_spec(tiny_data | {"guidance": [{"method": "none"}], "seeds": 1})
    command = [
        sys.executable,
        "-m",
        "fairsweep.cli",
        "run",
        str(spec),
        "--no-track",
        "--store",
        str(tmp_path / "store"),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Ray: a cluster of this run's own")
    assert "2 images made" in done.stdout
