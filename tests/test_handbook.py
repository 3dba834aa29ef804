"""The pages of docs/ that are made from the code are those that the code makes today, and leave nothing unsaid."""

from pathlib import Path

import pytest
import yaml

from fairsweep.measure.metrics import list_metrics
from fairsweep.spec import load_spec
from fairsweep.terminal import handbook

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module", params=handbook.PAGES)
def page(request) -> tuple[str, str]:
    """Return a page's name, and what the code makes of it."""
    return request.param, handbook.PAGES[request.param]()


def test_the_page_is_what_the_code_makes(page):
    name, text = page
    assert (DOCS / name).read_text(encoding="utf-8") == text, "make docs"


def test_nothing_is_left_without_words(page):
    name, text = page
    rows = [line.removesuffix(" |").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    if name == "spec.md":
        assert [row[0] for row in rows if not row[-1].strip()] == []
        for word in ("extends", "column", "start", "direction_seed", "unknown_margin", "a(n)"):
            assert word in text
    else:
        assert all(f"## {metric.name}\n" in text and metric.meaning in text for metric in list_metrics())


def test_the_short_forms_are_a_spec(tmp_path):
    (text,) = [part.partition("```")[0] for part in handbook.spec_page().split("```yaml\n")[1:]]
    (tmp_path / "short.yaml").write_text(text)
    (tmp_path / "jobs.csv").write_text("title,share\nnurse,0.9\nartist,0.5\n")
    spec = load_spec(tmp_path / "short.yaml")
    assert [model.steps for model in spec.models] == [20, 50]
    assert [prompt.text for prompt in spec.prompts.expand()] == ["a photo of a nurse", "a photo of an artist"]
    assert spec.attributes["age"].target == {"young": 0.7, "old": 0.3}
    assert [setting.name for setting in spec.guidance] == ["none", "fair-scale2", "fair-scale4"]
    assert spec.seeds[0] == 100 and len(spec.seeds) == 50
    assert yaml.safe_load(text)["extends"] == "occupations" and spec.notes is not None
