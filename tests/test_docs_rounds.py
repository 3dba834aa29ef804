"""docs/rounds.md is true: its specs are taken, and its commands say what it shows."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from fairsweep import cli
from fairsweep.spec import SweepSpec

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "rounds.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the working folder, with the example's spec."""
    monkeypatch.chdir(tmp_path)
    (spec,) = (block for block in blocks("yaml") if block.startswith("name:"))
    (tmp_path / "rounds.yaml").write_text(spec)
    return tmp_path


def test_the_pages_specs_are_taken(folder, capsys):
    whole = yaml.safe_load((folder / "rounds.yaml").read_text())
    others = [yaml.safe_load(block) for block in blocks("yaml") if not block.startswith("name:")]
    assert [list(other) for other in others] == [["sampling"], ["guidance"], ["prompts"], ["guidance"]]
    for other in others:
        SweepSpec.model_validate(whole | other)
    assert cli.run(["plan", "rounds.yaml"]) == 0
    assert "at most 192 images to make" in capsys.readouterr().out


@pytest.mark.slow
def test_the_commands_say_what_the_page_shows(folder, capsys, ray_cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    for line in blocks("sh")[0].splitlines():
        assert cli.run(shlex.split(line)[1:]) == 0, line
    printed = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert blocks("text")[0].strip() in printed
