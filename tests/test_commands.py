"""The commands over a small store, as a user calls them."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fairsweep
from fairsweep import cli
from fairsweep.commands.sweep import possible_spec
from fairsweep.engine.outcome import Outcome
from fairsweep.errors import FairsweepError
from fairsweep.pages import serve
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.terminal import findings
from fairsweep.terminal.console import Screen
from fairsweep.terminal.findings import store_option
from support.checks import ask, assert_exactly_once
from support.clusters import free_port


@pytest.fixture
def store(tiny_data, tmp_path):
    """Return a store with a plan of 16 images of which 3 are made, 2 are labelled and 1 failed."""
    import pyarrow.parquet as pq

    store = Store(tmp_path / "store")
    rows = pq.read_table(write_plan(SweepSpec.model_validate(tiny_data), store)).to_pylist()
    png = {"bytes": b"png", "path": None}
    store.write_images([{**row, "image": png, "seconds": 0.5} for row in rows[:3]])
    store.write_images([{**rows[4], "error": "ValueError: too long"}])
    labels = [{"image_id": row["image_id"], "attribute": "gender", "label": "female"} for row in rows[:2]]
    store.write_labels("pixels", labels)
    return store


def test_sql_in_every_format(store, capsys):
    query = "select setting, count(*) as n, 0.5 as half, null as nothing from planned group by 1 order by 1"
    where = ["--store", str(store.root)]
    assert cli.run(["sql", query, *where, "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [["setting", "n", "half", "nothing"], ["fair", "8", "0.5", ""], ["none", "8", "0.5", ""]]
    assert cli.run(["sql", query, *where, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {"setting": "fair", "n": 8, "half": 0.5, "nothing": None}
    assert cli.run(["sql", query, *where]) == 0
    words = "setting n half nothing fair 8 0.5 none 8 0.5"
    assert capsys.readouterr().out.split() == words.split()


def test_a_bad_query_is_one_line(store, capsys):
    assert cli.run(["sql", "select * from imagse", "--store", str(store.root)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "imagse" in printed and "LINE" not in printed
    assert cli.run(["sql", "select image_ids from images", "--store", str(store.root)]) == 2
    assert re.search(r'"image_ids" not found.* Candidate bindings: "image_id".*"\n$', capsys.readouterr().err)


def test_a_store_that_is_not_there(tmp_path, capsys):
    assert cli.run(["status", "--store", str(tmp_path / "nowhere")]) == 2
    assert "there is no store at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("plan --stroe x", "no such option: --stroe; did you mean '--store'? (`fairsweep plan -h` shows how)"),
        ("plan --xyz", "no such option: --xyz (`fairsweep plan -h` shows how)"),
        ("pln", "no such command 'pln'; did you mean 'plan'? (`fairsweep -h` shows how)"),
        ("bench swep", "no such command 'swep'; did you mean 'sweep'? (`fairsweep bench -h` shows how)"),
        ("plan", "missing argument 'SPEC' (`fairsweep plan -h` shows how)"),
        ("show", "missing option '--prompt' (`fairsweep show -h` shows how)"),
        ("status --store", "option '--store' requires an argument"),
        ("status x", "got unexpected extra argument(s) (x) (`fairsweep status -h` shows how)"),
        ("explore --port abc", "invalid value for '--port': it should be a valid integer"),
        ("explore --port 99999", "invalid value for '--port': it should be less than or equal to 65535"),
        ("sql --format xml x", "invalid value for '--format': 'xml' is not one of 'table', 'csv', 'json'"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line(capsys, line, reason):
    assert cli.run(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {reason}") and printed.err.count("\n") == 1
    assert not printed.out


def test_no_command_at_all_shows_the_commands(capsys):
    assert cli.run([]) == 2
    printed = capsys.readouterr()
    assert "plan" in printed.out + printed.err and "error" not in printed.err


def test_version_and_short_help(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"fairsweep {fairsweep.__version__}\n"
    for words in ([], ["run"], ["bench", "sweep"]):
        assert cli.run([*words, "-h"]) == 0
        short = capsys.readouterr().out
        assert cli.run([*words, "--help"]) == 0
        assert capsys.readouterr().out == short


def test_help_is_whole_on_a_narrow_terminal(capsys, monkeypatch):
    for columns in ("40", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        assert cli.run(["run", "-h"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= max(50, int(columns)) and not any("…" in line for line in lines)
        assert "the same command resumes" in " ".join(" ".join(lines).split())


def test_a_job_has_no_store_by_default(capsys, monkeypatch, tiny_data, write_spec):
    monkeypatch.delenv("FAIRSWEEP_STORE", raising=False)
    assert cli.run(["submit", str(write_spec(tiny_data)), "--address", "http://127.0.0.1:1"]) == 2
    assert "--store" in capsys.readouterr().err


def test_a_command_to_copy_names_the_store_only_where_it_must(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAIRSWEEP_STORE", raising=False)
    assert store_option(Store("fairsweep-store")) == ""
    assert store_option(Store(tmp_path / "two words")) == f" --store '{tmp_path / 'two words'}'"
    monkeypatch.setenv("FAIRSWEEP_STORE", "elsewhere")
    assert store_option(Store(tmp_path / "elsewhere")) == ""


def test_status(store, capsys):
    assert cli.run(["status", "--store", str(store.root)]) == 0
    lines = [line.strip().split(maxsplit=7) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["sweep", "model", "setting", "planned", "done", "labelled", "failed", "error"]
    assert lines[1] == ["tiny", "tiny", "fair", "8", "0", "0", "1", "ValueError: too long"]
    assert lines[2] == ["tiny", "tiny", "none", "8", "3", "2", "0"]


def test_plan_looks_and_changes_nothing(store, tiny_data, write_spec, capsys):
    before = sorted(path.stat().st_mtime_ns for path in store.root.rglob("*"))
    assert cli.run(["plan", str(write_spec(tiny_data)), "--store", str(store.root)]) == 0
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines()[1:3]] == [
        ["tiny", "none", "8", "3", "5"],
        ["tiny", "fair", "8", "0", "8"],
    ]
    assert "13 images to make in 4 batches of 4" in printed
    # 5 images of 4 rows and 8 of 12, at the 8 rows a second of those that are there.
    assert "116 denoiser rows: about 14s on one card or CPU actor" in printed
    assert "(rows a second measured here: tiny 8)" in printed
    assert sorted(path.stat().st_mtime_ns for path in store.root.rglob("*")) == before


def test_plan_tells_the_time_before_the_first_image(tmp_path, tiny_data, write_spec, capsys):
    tiny_data["run"] |= {"actors": 4, "gpus_per_actor": 0.5}
    command = ["plan", str(write_spec(tiny_data)), "--store", str(tmp_path / "store")]
    assert cli.run(command) == 0
    assert "128 denoiser rows; no estimate of time yet: no image of tiny is in the store" in capsys.readouterr().out
    assert cli.run([*command, "--rate", "0.01"]) == 0
    printed = capsys.readouterr().out
    assert "128 denoiser rows: about 3h 33m on one card" in printed and "53m" in printed
    assert "1.78 card-hours where actors hold GPUs" in printed
    # Four images of twelve rows.
    assert "a batch of 4 takes 1h 20m, which is lost with its node" in printed


def test_what_a_limit_left_is_said_as_it_is(store):
    """One of a sentence is singular, and shares of half a sweep say so."""
    screen = Screen(file=io.StringIO(), width=200)
    findings.show(store, "tiny", Outcome(planned=16, there=2, made=1, failed_images=1), None, screen)
    printed = screen.file.getvalue()
    assert "1 image made, 2 were there already" in printed
    assert "Unfinished: 3 of 16 images are made, 12 not made yet" in printed and "the same command goes on" in printed
    assert "1 images" not in printed and "1 prompts" not in printed
    findings.show(store, "tiny", Outcome(planned=16, there=2, made=14), None, screen)
    assert screen.file.getvalue().count("not made yet") == 1


def test_a_model_that_is_not_there_is_known_before_a_run(tmp_path, tiny_data, write_spec, capsys):
    tiny_data["models"][0]["source"] = "./nowhere"
    for command in ("plan", "run"):
        assert cli.run([command, str(write_spec(tiny_data)), "--store", str(tmp_path / "store")]) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith("error: model tiny: there is no /") and printed.err.count("\n") == 1
        assert not printed.out


def test_a_model_may_lie_on_the_nodes_of_a_cluster_alone(tiny_data, write_spec):
    tiny_data["models"][0]["source"] = "/on/the/nodes/alone"
    assert possible_spec(write_spec(tiny_data), None, folders=False)


def test_compact(store, capsys):
    store.write_labels("pixels", [{"image_id": "x", "attribute": "gender", "label": "male"}])
    assert cli.run(["compact", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out == "labels/classifier=pixels: 2 files merged\n"
    assert ask(store.root, "select count(*) from labels") == [(3,)]


def run_in_a_process(spec: Path, address: str, store: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "fairsweep.cli", "run", str(spec), "--address", address, "--store", str(store)]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


def test_a_run_with_failed_rows_lists_them_and_exits_with_1(tiny_data, tmp_path, ray_cluster, write_spec):
    data = tiny_data | {"guidance": [{"method": "none"}, {"name": "poisoned", "method": "pixels:Poisoned"}]}
    data["seeds"] = 1
    done = run_in_a_process(write_spec(data), ray_cluster, tmp_path / "store", "--no-track")
    assert done.returncode == 1, done.stderr
    assert "1 image and 0 labels failed; the same command tries them again" in done.stdout
    failed = ask(tmp_path / "store", "select image_id, error from images where error is not null")
    assert [f"  {image_id}  {error}" for image_id, error in failed] == [
        line for line in done.stdout.splitlines() if line.startswith("  ") and failed[0][0] in line
    ]
    assert "3 images made" in done.stdout
    assert "fairsweep report --store" in done.stdout


def test_a_run_whose_mlflow_server_is_away_keeps_its_results(tiny_data, tmp_path, ray_cluster, write_spec):
    data = tiny_data | {"guidance": [{"method": "none"}], "seeds": 1}
    away = f"http://127.0.0.1:{free_port()}"
    done = run_in_a_process(write_spec(data), ray_cluster, tmp_path / "store", "--mlflow", away)
    assert done.returncode == 0, done.stderr
    assert "not logged to MLflow: " in done.stdout
    assert f"fairsweep track --sweep tiny --store {tmp_path / 'store'}" in done.stdout.replace("\n", "")
    assert_exactly_once(tmp_path / "store", images=2)


def test_a_cluster_that_is_not_there(tiny_data, tmp_path, write_spec, capsys):
    assert cli.run(["run", str(write_spec(tiny_data)), "--address", "127.0.0.1:1", "--store", str(tmp_path)]) == 2
    assert "cannot join the Ray cluster at 127.0.0.1:1: Connection refused" in capsys.readouterr().err


def test_what_a_server_says_before_it_answers_is_shown_where_it_ends(capsys):
    command = [sys.executable, "-c", "import sys; print('here'); print('there', file=sys.stderr); sys.exit(3)"]
    with pytest.raises(FairsweepError, match="the server ended with exit code 3; its messages stand above"):
        serve.run(command, free_port(), lambda: None)
    printed = capsys.readouterr()
    assert printed.out == "" and sorted(printed.err.split()) == ["here", "there"]
