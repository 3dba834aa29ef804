"""docs/audits.md is true: its specs are taken, an encoder answers. Its commands run in test_docs_commands.py."""

import yaml

from fairsweep import cli
from support.checks import ask
from support.docs import ROOT, blocks

PAGE = "docs/audits.md"


def block(key: str) -> dict:
    """Return the page's block of YAML that begins with a key."""
    (text,) = (text for text in blocks(PAGE, "yaml") if text.startswith(f"{key}:"))
    return yaml.safe_load(text)


def test_the_page_names_the_data_of_the_example():
    example = yaml.safe_load((ROOT / "jobs" / "audit.yaml").read_text())
    assert block("data")["data"][0]["name"] == example["data"][0]["name"]


def test_the_encoders_of_the_page(tmp_path, monkeypatch, ray_cluster):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    spec, store = tmp_path / "spec.yaml", tmp_path / "store"
    spec.write_text(yaml.safe_dump({"extends": str(ROOT / "jobs" / "demo.yaml"), **block("encoder")}))
    assert cli.run(["audit", "encoder", str(spec), "--store", str(store)]) == 0
    rows = ask(store, "select encoder, test, verdict from encoder_tests order by all")
    assert [row[:2] for row in rows] == [(e, t) for e in ("clip", "text") for t in ("career-family", "work")]
    assert rows[1] == ("clip", "work", "associated")
