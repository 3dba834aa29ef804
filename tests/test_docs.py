"""The pages for newcomers hold what they say: their specs load, their commands and queries run, the notebook too."""

import json
import re
import shlex
from pathlib import Path

import pytest

from fairsweep import cli
from fairsweep.measure.catalogue import connect
from fairsweep.spec import load_spec
from fairsweep.store import Store
from support.synthetic import build

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def calls(page: str) -> list[list[str]]:
    """Return the words of each command of a page that needs no model and no browser, in its order."""
    lines = [shlex.split(line) for block in blocks(page, "sh") for line in block.splitlines()]
    return [words[1:] for words in lines if words[1] not in ("run", "explore", "ui", "show")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the working folder, with the files that the pages show."""
    monkeypatch.chdir(tmp_path)
    for page in ("tutorials.md", "getting-started.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        for name, content in re.findall(r"`([\w-]+\.(?:csv|yaml))`[^`]*?:\n\n```\w+\n(.*?)```", text, re.DOTALL):
            (tmp_path / name).write_text(content)
    return tmp_path


def test_the_tutorials_commands_run_as_written(folder, capsys):
    files = {path.name for path in folder.iterdir()}
    assert files == {"labels.csv", "labour.csv", "prompts.csv", "languages.yaml", "my-audit.yaml"}
    for words in calls("tutorials.md"):
        assert cli.run(words) == 0, words
    printed = capsys.readouterr().out
    assert "amplified" in printed and "closed.html" in printed
    assert "0.87" in printed, "the reference's own share"
    for query in (query for block in blocks("tutorials.md", "sql") for query in block.split(";")):
        if query.strip():
            with connect(Store("fairsweep-store")) as connection:
                assert connection.sql(query).columns


def test_the_first_spec_plans_what_the_page_says(folder, capsys):
    spec = load_spec("my-audit.yaml")
    assert [prompt.text for prompt in spec.prompts.expand()][-1] == "a photo of the face of an artist"
    assert cli.run(["plan", "my-audit.yaml"]) == 0
    (said,) = re.findall(r"says that this is (\d+) images", (DOCS / "getting-started.md").read_text(encoding="utf-8"))
    assert f"{said} images to make" in capsys.readouterr().out


def test_the_first_pages_look_at_a_store_as_written(folder, monkeypatch):
    build(folder / "fairsweep-store", seeds=4)
    for words in calls("getting-started.md"):
        assert cli.run(words) == 0, words
    assert (folder / "report.html").stat().st_size > 10_000


def test_the_notebook_opens_a_store(tmp_path, monkeypatch):
    store = build(tmp_path / "store", seeds=4)
    monkeypatch.setenv("FAIRSWEEP_STORE", str(store.root))
    cells = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict = {}
    for source in sources:
        exec(source, names)
    assert len(names["summary"]) == 6 and len(names["shares"]) == 9
    assert eval(sources[-1].splitlines()[-1], names).size[0] > 100
