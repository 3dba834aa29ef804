"""docs/audits.md is true: its commands run, one after the other, and its spec is taken."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from fairsweep import cli
from support.checks import ask

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "audits.md").read_text(encoding="utf-8")


def commands(section: str) -> list[list[str]]:
    """Return the words of each command of a section."""
    text = PAGE[PAGE.index(f"\n## {section}") :]
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("fairsweep")]


@pytest.mark.slow
def test_the_sections_of_all_three_and_of_the_data(tmp_path, monkeypatch, ray_cluster):
    """The page's commands in their order, on fewer portraits, prompts and seeds."""
    monkeypatch.setenv("FAIRSWEEP_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    spec = yaml.safe_load((ROOT / "jobs" / "audit.yaml").read_text())
    assert yaml.safe_load(re.search(r"```yaml\n(data:.*?)```", PAGE, re.DOTALL)[1])["data"][0]["name"] == "portraits"
    (tmp_path / "jobs").mkdir()
    small = {
        "prompts": {
            "template": "a photo of the face of a {occupation}",
            "variables": {"occupation": ["nurse", "pilot"]},
        }
    }
    spec |= small | {"extends": str(ROOT / "jobs" / "demo.yaml"), "seeds": 32}
    spec["data"][0]["nearest"] = [10]
    (tmp_path / "jobs" / "audit.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.chdir(tmp_path)
    calls = commands("All three") + commands("The training data")
    assert len(calls) == 6
    for words in calls:
        assert cli.run(["300" if word == "20000" else word for word in words]) == 0, words
    rows = ask(tmp_path / "store", "select component, count(*) from components group by all order by all")
    # Two prompts, two attributes of two and three groups. So few portraits are too few for most thresholds.
    ((matched,),) = ask(tmp_path / "store", "select count(*) from data_match where n > 0")
    assert matched >= 6
    assert rows == [("data", matched * 5), ("encoder", 2 * 2 * 5), ("guided", 2 * 5), ("pictures", matched * 5)]
    verdicts = ask(
        tmp_path / "store",
        """select distinct prompt_name, verdict from components
        where component = 'guided' and attribute = 'gender' order by all""",
    )
    # Guidance brings both to the target.
    assert verdicts == [("nurse", "mitigated"), ("pilot", "mitigated")]
    # The matchings of the data are runs of their own in MLflow, with the numbers of the summary.
    runs = MlflowClient(f"sqlite:///{tmp_path / 'store' / 'mlflow.db'}")
    cells = runs.search_runs(
        [each.experiment_id for each in runs.search_experiments()], "tags.`fairsweep.kind` = 'cell'"
    )
    logged = {
        (run.data.tags["fairsweep.sweep"], run.data.tags["fairsweep.setting"]): run.data.metrics[
            "gender/portraits/total_variation"
        ]
        for run in cells
        if "gender/portraits/total_variation" in run.data.metrics
    }
    summary = ask(
        tmp_path / "store",
        "select sweep, setting, total_variation from summary where attribute = 'gender' and total_variation > -1",
    )
    assert logged == pytest.approx({row[:2]: row[2] for row in summary})
    assert ("audit-data", "captions") in logged and ("audit", "none") in logged


def test_the_encoder_section(tmp_path, monkeypatch, capsys, ray_cluster):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    monkeypatch.setenv("FAIRSWEEP_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(ROOT)
    calls = commands("The encoder")
    assert len(calls) == 2
    for words in calls:
        assert cli.run(words) == 0
    text = re.search(r"```yaml\n(encoder:.*?)```", PAGE, re.DOTALL)[1]
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump({"extends": str(ROOT / "jobs" / "demo.yaml"), **yaml.safe_load(text)}))
    assert cli.run(["audit", "encoder", str(spec)]) == 0
    rows = ask(tmp_path / "store", "select encoder, test, verdict from encoder_tests order by all")
    assert [row[:2] for row in rows] == [(e, t) for e in ("clip", "text") for t in ("career-family", "work")]
    assert rows[1] == ("clip", "work", "associated")
