"""MLflow runs of a sweep: in the store's own file, and on a real server that may go away."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import fairsweep
from fairsweep import cli
from fairsweep.measure.catalogue import connect
from fairsweep.pages import serve
from fairsweep.store import Store
from fairsweep.tracking import track
from fairsweep.tracking.addresses import public
from support import browser
from support.pages import served, until
from support.synthetic import build, image_id, write_plan

PACKAGE = Path(fairsweep.__file__).parent
SPEC = {
    "name": "audit",
    "notes": "is it fair?",
    "models": [{"name": "m", "source": "builtin:portraits", "steps": 20}],
    "seeds": [0, 1],
    "require": [{"metric": "total_variation", "attribute": "gender", "at_most": 0.9}],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Store:
    """A sweep that was logged twice: as interrupted, then as finished. MLflow's migrations run once."""
    store = build(tmp_path_factory.mktemp("track"), prompts=("doctor", "nurse"), settings=("none", "fair-scale2"))
    describe(store)
    track.log_sweep(store, "audit", track.local_uri(store), status="interrupted", reason="stopped by the user")
    return store


def describe(store: Store, fingerprint: str = "abc") -> None:
    (store.root / "specs").mkdir(exist_ok=True)
    (store.root / "specs" / "audit.json").write_text(json.dumps({"fingerprint": fingerprint, "spec": SPEC}))


@pytest.fixture(scope="module")
def again(made):
    """Return the runs before and after the same sweep is logged a second time."""
    before = runs(made)
    assert cli.run(["track", "--store", str(made.root)]) == 0
    return before, runs(made)


def client(store: Store):
    from mlflow import MlflowClient

    return MlflowClient(track.local_uri(store))


def runs(store: Store, where: str = "") -> list:
    experiment = client(store).get_experiment_by_name(track.EXPERIMENT)
    return client(store).search_runs([experiment.experiment_id], where)


def test_one_parent_and_a_child_per_cell(again, made):
    (parent,) = runs(made, "tags.`fairsweep.kind` = 'sweep'")
    cells = runs(made, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert {run.data.tags["fairsweep.setting"] for run in cells} == {"none", "fair-scale2"}
    assert parent.data.tags["fairsweep.fingerprint"] == "abc"
    verdicts, notes = parent.data.tags["mlflow.note.content"].split("\n\n")
    assert notes == "is it fair?"
    assert [line.split(": ")[0] for line in verdicts.splitlines()] == [
        f"- **pass** total_variation of gender at most 0.9, m / {setting}" for setting in ("none", "fair-scale2")
    ]
    assert {run.data.tags["fairsweep.required"] for run in (parent, *cells)} == {"pass"}
    assert {data.dataset.name for data in parent.inputs.dataset_inputs} == {"prompts"}
    assert all(run.data.params["model"] == "m" and run.data.params["steps"] == "20" for run in cells)
    for run in cells:
        (images,) = run.inputs.dataset_inputs
        assert images.dataset.name == "images" and str(made.root) in images.dataset.source


def test_runs_say_what_made_the_images(again, made):
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    for run in runs(made):
        assert run.data.tags["version.torch"] == "2.14.1"
        assert run.data.tags.get("mlflow.source.git.commit", "") == asked.stdout.strip()


def test_a_cell_says_why_its_images_failed(tmp_path):
    store = Store(tmp_path)
    labels = [{"seed": 0}, {"seed": 0, "setting": "fair"}]
    write_plan(store, labels)
    row = {"image_id": image_id("audit", "m", "fair", "doctor", 0), "model": "m", "setting": "fair"}
    store.write_images([row | {"image": None, "error": "out of memory"}])
    book = track.Logbook(store, "audit")
    assert [book.first_error(cell) for cell in book.cells()] == ["out of memory", None]


def test_metrics_are_the_columns_of_summary(again, made):
    row = connect(made).sql("from summary where setting = 'none' and attribute = 'gender'").df().iloc[0]
    (run,) = runs(made, "tags.`fairsweep.setting` = 'none'")
    for column in ("total_variation", "total_variation_low", "total_variation_high", "prompts_off_target"):
        assert run.data.metrics[f"gender/portraits/{column}"] == pytest.approx(float(row[column]))
    assert run.data.metrics["cost/images"] == 16
    found = runs(made, f"metrics.`gender/portraits/total_variation` > {row['total_variation'] - 1e-6}")
    assert run.info.run_id in {other.info.run_id for other in found}


def test_a_resumed_sweep_updates_its_runs(again):
    before, after = again
    assert {run.info.run_id for run in before} == {run.info.run_id for run in after}
    assert {run.info.status for run in before} == {"KILLED"} and {run.info.status for run in after} == {"FINISHED"}
    assert {run.data.tags["fairsweep.reason"] for run in before} == {"stopped by the user"}


def test_pictures_tables_and_artifacts_read_back(again, made, monkeypatch):
    (run,) = runs(made, "tags.`fairsweep.setting` = 'none'")
    files = [file.path for file in client(made).list_artifacts(run.info.run_id, "images")]
    assert len([path for path in files if path.endswith(".png")]) == 2 * 4, "each picture once, however often logged"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", track.local_uri(made))
    table = client(made).load_table(run.info.experiment_id, "share.json", run_ids=[run.info.run_id])
    assert len(table) == connect(made).sql("from share where setting = 'none'").shape[0]
    (parent,) = runs(made, "tags.`fairsweep.kind` = 'sweep'")
    names = {file.path for file in client(made).list_artifacts(parent.info.run_id)}
    assert {"report.html", "spec.json", "metrics"} <= names


def test_what_is_charted_first_has_short_names(again, made):
    row = connect(made).sql("from summary where setting = 'fair-scale2' and attribute = 'gender'").df().iloc[0]
    (run,) = runs(made, "tags.`fairsweep.setting` = 'fair-scale2'")
    metrics = run.data.metrics
    short = {"distance_gender": "total_variation", "off_target_gender": "prompts_off_target"}
    short |= {"missing_gender": "missing_share", "scene_kept": "scene_similarity"}
    for name, column in short.items():
        assert metrics[name] == pytest.approx(float(row[column])), name
    assert metrics["images_per_second"] == metrics["cost/images_per_second"] and "distance_skin_tone" in metrics


def test_the_first_classifier_of_a_spec_gives_the_short_names(tmp_path):
    store = build(tmp_path, prompts=("doctor",), settings=("none",), seeds=4)
    rows = [image_id("audit", "m", "none", "doctor", seed) for seed in range(4)]
    labels = [
        {"image_id": key, "attribute": "gender", "label": ("female", "male")[place % 2], "score": 0.9, "scores": {}}
        for place, key in enumerate(rows)
    ]
    store.write_labels("a-second", labels)
    (store.root / "specs").mkdir()
    for first, second in (("portraits", "a-second"), ("a-second", "portraits")):
        spec = {"classifiers": [{"name": first}, {"name": second}]}
        (store.root / "specs" / "audit.json").write_text(json.dumps({"fingerprint": "abc", "spec": spec}))
        book = track.Logbook(store, "audit")
        metrics = book.metrics({"model": "m", "setting": "none"})
        assert metrics["distance_gender"] == metrics[f"gender/{first}/total_variation"]
        assert metrics["distance_gender"] != metrics[f"gender/{second}/total_variation"]


def test_ui_opens_on_the_cells_and_leaves_nothing_behind(again, made):
    """In MLflow's view of runs and no other, with distance against what is kept and what it costs."""
    names = {run.info.run_name for run in runs(made, "tags.`fairsweep.kind` = 'cell'")}
    with browser.chromium() as driver, served("ui", made, 2) as (process, (home, address)):
        assert address.startswith(home + "#/experiments/")
        started = psutil.Process(process.pid).children(recursive=True)
        # The server and its one worker; MLflow's job runner and its consumers would be here too.
        assert len(started) <= 2 and not [one for one in started if "job" in " ".join(one.cmdline())]
        driver.get(address)
        shown = {"distance_gender vs. scene_kept", "distance_gender vs. images_per_second"}
        shown |= {"Fairness and its cost", *names}
        until(lambda: all(name in driver.find_element("tag name", "body").text for name in shown))
        page = driver.find_element("tag name", "body").text
        assert "2 matching runs" in page and "Judges" not in page, "not the view of agents"
        assert browser.foreign_requests(driver) == []
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert not [one for one in started if one.is_running()]


def test_ui_without_runs_says_how_to_log_them(tmp_path, capsys):
    store = build(tmp_path, prompts=("doctor",), settings=("none",))
    assert cli.run(["ui", "--headless", "--store", str(store.root)]) == 2
    assert "log them with `fairsweep track --sweep audit --store" in capsys.readouterr().err


def test_a_new_file_and_whole_numbers_are_not_worth_a_line(tmp_path):
    store = build(tmp_path, prompts=("doctor",), settings=("none",))
    command = [sys.executable, "-W", "default", "-c", "from fairsweep.cli import main; main()"]
    done = subprocess.run([*command, "track", "--store", str(store.root)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(store.tracking)
    assert "Hint:" not in done.stderr and "INFO mlflow" not in done.stderr and "multiple ways" not in done.stderr


def test_a_name_with_a_quote_finds_its_runs_again(made, tmp_path):
    store = build(tmp_path, prompts=("doctor",), settings=("none", "it's"))
    shutil.copy(made.tracking, store.tracking)
    for _ in range(2):
        assert cli.run(["track", "--store", str(store.root)]) == 0
    logged = runs(store, "tags.`fairsweep.fingerprint` = 'none'")
    assert sorted(run.data.tags.get("fairsweep.setting", "") for run in logged) == ["", "it's", "none"]
    assert track.comparison(store, "audit", track.local_uri(store))


def test_mlflow_is_reached_from_one_module_and_only_by_the_driver():
    def importing(pattern: str) -> set[str]:
        files = (path for root in (PACKAGE, PACKAGE.parents[1] / "dashboards") for path in root.rglob("*.py"))
        return {path.name for path in files if re.search(pattern, path.read_text(), re.MULTILINE)}

    assert importing(r"^\s*(from|import) mlflow\b") == {"track.py"}
    # The commands, which run in the driver, and neither actors nor what they share.
    assert importing(r"^\s*from fairsweep\.tracking import .*\btrack\b") == {"look.py", "sweep.py"}


def test_what_is_not_there_counts_as_interrupted(made):
    book = track.Logbook(made, "audit")
    assert book.status() == ("finished", None)
    shutil.rmtree(made.root / "images" / "model=m" / "guidance=none")
    assert track.Logbook(made, "audit").status() == ("interrupted", "16 of 32 images are not there")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://user:p@ss@host:5000/x (//me:pw@other)", "at http://host:5000/x (//other)"),
        ("postgresql://u:secret@db/x?password=secret&sslmode=on", "postgresql://db/x?password=***&sslmode=on"),
        ("sqlite:////a@b/mlflow.db and https://host/a@b", "sqlite:////a@b/mlflow.db and https://host/a@b"),
    ],
)
def test_no_password_of_an_address_is_printed(text, shown):
    assert public(text) == shown


def test_a_server_that_is_away_costs_one_line(made, capsys):
    code = cli.run(
        ["track", "--store", str(made.root), "--mlflow", f"http://user:secret@127.0.0.1:{serve.free_port(0)}"]
    )
    said = capsys.readouterr().err
    assert code == 2 and said.count("\n") == 1 and "secret" not in said
    assert f"fairsweep track --sweep audit --store {made.root}" in said


def test_a_file_of_runs_that_takes_nothing_costs_one_line(made, capfd):
    """Without the traceback that MLflow prints by itself."""
    file = made.root / "mlflow.db"
    lock, free = (["chattr", "+i"], ["chattr", "-i"]) if os.geteuid() == 0 else (["chmod", "444"], ["chmod", "644"])
    if subprocess.run([*lock, file], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made read-only here")
    try:
        assert cli.run(["track", "--store", str(made.root)]) == 2
    finally:
        subprocess.run([*free, file], check=True)
    said = capfd.readouterr().err
    assert said == f"error: cannot write to {file}: no right to; give --mlflow, or make it writable\n"


def test_a_real_server_and_one_that_goes_away_in_the_middle(made, tmp_path, monkeypatch):
    shutil.copy(made.tracking, tmp_path / "server.db")
    port = serve.free_port(0)
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    describe(made, fingerprint="server")
    monkeypatch.setattr(track, "EXPERIMENT", "on a server")
    server = subprocess.Popen(command, env={**os.environ, **track.QUIET}, start_new_session=True)
    try:
        while not serve._answers(port):
            assert server.poll() is None
            time.sleep(0.5)
        uri = f"http://127.0.0.1:{port}"
        address = track.log_sweep(made, "audit", f"http://user:secret@127.0.0.1:{port}")
        assert address.startswith(f"{uri}/#/experiments/")

        from mlflow import MlflowClient

        remote = MlflowClient(uri)
        parent = remote.get_run(address.rsplit("/", 1)[1])
        assert parent.info.status == "KILLED" and "report.html" in {
            file.path for file in remote.list_artifacts(parent.info.run_id)
        }
        where = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and metrics.`cost/images` > 0"
        (cell,) = remote.search_runs([parent.info.experiment_id], where)
        assert cell.data.tags["fairsweep.setting"] == "fair-scale2"
        images = [file.path for file in remote.list_artifacts(cell.info.run_id, "images")]
        assert len([path for path in images if path.endswith(".png")]) == 2 * 4
        table = remote.download_artifacts(cell.info.run_id, "share.json", str(tmp_path))
        assert len(json.loads(Path(table).read_text())["data"]) == len(connect(made).sql("from share").df()) // 2
        assert track.log_sweep(made, "audit", uri) == address, "the same run"
        logged = track._Log._pictures

        def leave(self, *arguments):
            logged(self, *arguments)
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()

        monkeypatch.setattr(track._Log, "_pictures", leave)
        with pytest.raises(track.TrackError, match="The results are in"):
            track.log_sweep(made, "audit", uri)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)


def test_a_file_of_runs_that_was_cut_short_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = build(tmp_path, prompts=("doctor",), settings=("none",))
    with sqlite3.connect(store.tracking) as connection:
        # What a process that dies in the middle leaves: tables, and no word of their version.
        connection.execute("create table assessments (id integer)")
    track.log_sweep(store, "audit")
    assert len(runs(store)) == 2
    assert store.tracking.with_name("mlflow.db.damaged").exists()
    assert [path.name for path in store.root.iterdir() if path.name.endswith(".tmp")] == []


def test_a_path_that_mlflow_cannot_take_is_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = build(tmp_path / "what?", prompts=("doctor",), settings=("none",))
    with pytest.raises(track.TrackError, match="MLflow takes no path with a question mark"):
        track.log_sweep(store, "audit")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["what?"]
