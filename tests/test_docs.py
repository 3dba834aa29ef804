"""The pages for newcomers hold what they say: their specs load, the plan is what a page says, the notebook runs."""

import json
import re

from fairsweep import cli
from fairsweep.spec import load_spec
from support.docs import PAGES, ROOT, files
from support.synthetic import build

FIRST = "docs/getting-started.md"


def test_the_first_spec_plans_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-audit.yaml").write_text(files(FIRST)["my-audit.yaml"])
    spec = load_spec("my-audit.yaml")
    assert [prompt.text for prompt in spec.prompts.expand()][-1] == "a photo of the face of an artist"
    assert cli.run(["plan", "my-audit.yaml"]) == 0
    (images,) = re.findall(r"says that this is (\d+) images", PAGES[FIRST])
    assert f"{images} images to make" in capsys.readouterr().out


def test_the_notebook_opens_a_store(tmp_path, monkeypatch):
    store = build(tmp_path / "store", seeds=4)
    monkeypatch.setenv("FAIRSWEEP_STORE", str(store.root))
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict = {}
    for source in sources:
        exec(source, names)
    assert len(names["summary"]) == 6 and len(names["shares"]) == 9
    assert eval(sources[-1].splitlines()[-1], names).size[0] > 100
