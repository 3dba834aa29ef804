"""Decisions are rows of the store: whole or not there, one of a key, on a disk and in a bucket."""

import pytest

from fairsweep.plan import decisions
from fairsweep.plan.decisions import Decision, rule
from fairsweep.store import Store
from support import plain
from support.checks import ask


def decision(prompt: str, round: int, value: str, by: str = "r") -> Decision:
    text = f"a photo of a {prompt}"
    return Decision(
        "s", "stop", round, "m", "none", text, prompt, "gender", value, {"n": 16, "share": [0.25, 0.75]}, by
    )


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_a_decision_is_made_once(place, bucket, tmp_path):
    root = str(tmp_path) if place == "disk" else bucket
    store = Store(root)
    first = [decision("nurse", 0, "go on"), decision("doctor", 0, "off target")]
    with store.lock():
        decisions.write(store, first)
        before = plain.listed(root)
        decisions.write(store, first)
        # Another answer to the same question does not count, and what is new beside it does.
        decisions.write(store, [decision("doctor", 0, "go on"), decision("nurse", 1, "within margin")])
    assert sum("decisions/" in key for key in before) == 1
    assert sum("decisions/" in key for key in plain.listed(root)) == 2
    kept = {(each.prompt_name, each.round): each for each in decisions.read(store, "s")}
    assert kept["doctor", 0] == first[1]
    assert {key: each.value for key, each in kept.items()} == {
        ("doctor", 0): "off target",
        ("nurse", 0): "go on",
        ("nurse", 1): "within margin",
    }
    assert not decisions.read(store, "another")
    if place == "disk":
        query = "select prompt_name, round, value, evidence->>'n' from decision_rows order by all"
        assert ask(root, query) == [
            ("doctor", 0, "off target", "16"),
            ("nurse", 0, "go on", "16"),
            ("nurse", 1, "within margin", "16"),
        ]


def test_under_another_rule_it_is_another_decision(tmp_path):
    store = Store(tmp_path)
    with store.lock():
        decisions.write(store, [decision("nurse", 0, "go on", rule({"margin": 0.05}))])
        decisions.write(store, [decision("nurse", 0, "off target", rule({"margin": 0.1}))])
    assert len(decisions.read(store, "s")) == 2


def test_a_damaged_file_of_decisions_costs_only_itself(tmp_path, caplog):
    store = Store(tmp_path)
    with store.lock():
        decisions.write(store, [decision("nurse", 0, "go on")])
        decisions.write(store, [decision("doctor", 0, "go on")])
    file = sorted(tmp_path.rglob("decisions/*/*.parquet"))[0]
    file.write_bytes(file.read_bytes()[:-20])
    assert len(decisions.read(store, "s")) == 1
    assert "damaged file" in caplog.text
