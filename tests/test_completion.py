"""Tab completion in bash: the script that --show-completion prints, asked as bash asks it."""

import os
import subprocess
import sys

import pytest

from fairsweep import cli
from fairsweep.spec.suites import list_suites

# bash calls the function that the script registers with the words so far; what it leaves in COMPREPLY is offered.
_TAB = """
eval "$(fairsweep --show-completion)"
function=$(complete -p fairsweep | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$function fairsweep
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with specs, another file, a store of an import, and a command that bash finds first."""
    folder = tmp_path_factory.mktemp("completion")
    for name in ("my-audit.yaml", "my-other.yml", "my-notes.txt", "specs/mine.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    counts = folder / "counts.csv"
    counts.write_text("prompt,female,male\nnurse,3,1\n")
    for name in ("published", "two words"):
        words = ["import", str(counts), "--groups", "gender=female,male", "--name", name]
        assert cli.run([*words, "--store", str(folder / "fairsweep-store")]) == 0
    command = folder / "bin" / "fairsweep"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m fairsweep.cli "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture
def tab(folder):
    """Return a function that tells what Tab offers after words; what is printed beside it is an error."""

    def press(*words: str) -> list[str]:
        path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-c", _TAB, "bash", "fairsweep", *words],
            cwd=folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr, done.stderr
        return done.stdout.split("\n")[:-1]

    return press


def test_commands_and_options(tab):
    assert tab("s") == ["suites", "status", "submit", "schema", "sql", "show"]
    assert tab("bench", "gu") == ["guidance"]
    assert tab("run", "--mo") == ["--model", "--most-images"]
    assert tab("sql", "--format", "") == ["table", "csv", "json"]


def test_specs_suites_sweeps_and_metrics(tab):
    assert tab("plan", "my") == ["my-audit.yaml", "my-other.yml"]
    assert tab("run", "specs/") == ["specs/mine.yaml"]
    assert {suite.name for suite in list_suites()} <= {*tab("run", "")}
    assert tab("suites", "wino") == ["winobias", "winobias-small"]
    assert tab("report", "--sweep", "") == ["published"], "a name with a space would be two words"
    assert tab("measure", "--store", "elsewhere", "--sweep", "") == [""]
    assert tab("measure", "--metric", "share_by_v") == tab("metrics", "share_by_v") == ["share_by_variable"]


@pytest.mark.parametrize("words", [("run", "nowhere/"), ("report", "--store", "s3://b/x", "--sweep", "")])
def test_nothing_is_offered_where_nothing_can_be_known(tab, words):
    assert tab(*words) == [""]
