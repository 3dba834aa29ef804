"""Sweeps in rounds on real Ray: the same decisions from any number of actors, and whatever is killed."""

import itertools
import random

import pytest

from fairsweep.plan import decisions
from fairsweep.store import Store
from support.checks import ask, assert_exactly_once
from support.kills import Sweep, run_over
from support.specs import small_sweep


def in_rounds(data: dict) -> dict:
    """Return a sweep of the small model that stops by looking."""
    del data["seeds"]
    return data | {"sampling": {"most": 12, "round": 4, "margin": 0.2}}


@pytest.fixture
def rounds_data(tiny_data) -> dict:
    return in_rounds(tiny_data)


def decided(root) -> list:
    return decisions.read(Store(root), "tiny")


def test_a_run_goes_round_by_round_until_nothing_is_left_to_decide(rounds_data, tmp_path, run_sweep):
    outcome = run_sweep(rounds_data, tmp_path, limit=6)
    # A round that was cut short decides nothing.
    assert (outcome.made, decided(tmp_path)) == (6, [])
    outcome = run_sweep(rounds_data, tmp_path)
    [(planned,)] = ask(tmp_path, "select count(distinct image_id) from plan")
    assert outcome.complete
    assert (outcome.planned, outcome.there, outcome.made) == (planned, 6, planned - 6)
    assert_exactly_once(tmp_path, planned)
    # One actor, and one model loaded, for all rounds.
    assert len(outcome.places) == 1
    looks = decided(tmp_path)
    assert max(look.round for look in looks) >= 1
    # Each prompt has a look at each attribute after each of its rounds.
    assert {look.attribute for look in looks} == {"gender", "age"}
    query = "select setting, prompt, count(*) from plan group by all"
    for setting, prompt, images in ask(tmp_path, query):
        own = [look for look in looks if (look.setting, look.prompt) == (setting, prompt)]
        assert images == 4 * (1 + max(look.round for look in own))
        last = {look.attribute: look for look in sorted(own, key=lambda look: look.round)}
        assert images == 12 or not any(look.value == "undecided" for look in last.values())
        assert {look.evidence["images"] for look in own} <= {4, 8, 12}
    again = run_sweep(rounds_data, tmp_path)
    assert (again.made, again.labelled, decided(tmp_path)) == (0, 0, looks)


@pytest.fixture(scope="module")
def whole(tiny_model, run_sweep, tmp_path_factory) -> list:
    """Return what one actor decides, with nothing in its way."""
    root = tmp_path_factory.mktemp("whole")
    run_sweep(in_rounds(small_sweep(tiny_model)), root)
    looks = decided(root)
    assert max(look.round for look in looks) >= 1
    return looks


@pytest.mark.slow
def test_three_actors_decide_the_same_as_one(rounds_data, tmp_path, run_sweep, whole):
    run_sweep(rounds_data | {"run": rounds_data["run"] | {"actors": 3}}, tmp_path)
    assert decided(tmp_path) == whole


# What is new in the store, and whom to kill then: each part of a run, and each victim in two of them or more.
MOMENTS = [
    ("", "group"),
    ("plan/", "driver"),
    ("images/", "worker"),
    ("labels/", "driver"),
    ("decisions/", "group"),
    ("decisions/", "worker"),
]


@pytest.mark.slow
def test_whatever_is_killed_at_each_part_the_same_is_decided(tmp_path, whole, rounds_data, write_spec):
    """Moments within the parts by Python's random, seed 10; test_stopping.py kills ten times at random, without Ray."""
    roots = (str(tmp_path / f"store {number}") for number in itertools.count())
    for root in run_over(Sweep(write_spec(rounds_data)), roots, MOMENTS, random.Random(10)):
        assert decided(root) == whole
