"""docs/audits.md is true: its commands run, one after the other, and its spec is taken."""

import re
import shlex
from pathlib import Path

import yaml

from fairsweep import cli
from support.checks import ask

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "audits.md").read_text(encoding="utf-8")


def commands(section: str) -> list[list[str]]:
    """Return the words of each command of a section."""
    text = PAGE[PAGE.index(f"\n## {section}") :]
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("fairsweep")]


def test_the_encoder_section(tmp_path, monkeypatch, capsys):
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
