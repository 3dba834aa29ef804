"""Sweeps that stop by looking: which seeds are planned after which verdicts, and what the verdicts are worth."""

import copy
import itertools
import math
import re

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from fairsweep.errors import SpecError
from fairsweep.pages import report
from fairsweep.plan import decisions
from fairsweep.plan.plan import write_plan
from fairsweep.plan.rounds import Rounds
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.store import Store
from fairsweep.terminal import preview
from fairsweep.tracking.logbook import Logbook
from support import plain
from support.checks import ask
from support.kills import finished
from support.worlds import GENDER, World, work


@pytest.fixture
def data(tiny_data) -> dict:
    """Return an unguided sweep of one attribute that stops by looking."""
    del tiny_data["seeds"]
    prompts = ["nurse", "doctor", "pilot"]
    sampling = {"most": 40, "round": 8, "margin": 0.2}
    return tiny_data | {
        "prompts": prompts,
        "attributes": copy.deepcopy(GENDER),
        "guidance": [{"method": "none"}],
        "sampling": sampling,
    }


def verdicts(root, kind: str = "stop") -> dict:
    query = (
        f"select prompt, arg_max(value, round), max(round) from decisions where kind = '{kind}' group by 1 order by 1"
    )
    return {prompt: (value, last) for prompt, value, last in ask(root, query)}


def test_each_prompt_gets_the_seeds_that_its_verdict_takes(data, tmp_path):
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.0})
    # A margin of 20 points around one half is beyond 40 images, which 24 of them show.
    assert world.run(spec) == 8 + 8 + 24
    assert verdicts(tmp_path) == {
        "doctor": ("out of reach", 2),
        "nurse": ("off target", 0),
        "pilot": ("off target", 0),
    }
    # What was decided is what the view of intervals shows, and the same command finds nothing to do.
    assert world.run(spec) == 0
    [(low, high)] = ask(
        tmp_path, """select low, high from share_anytime where prompt = 'nurse' and "group" = 'female'"""
    )
    assert low > 0.5 and high == 1
    [(count, found)] = ask(
        tmp_path,
        "select (evidence->'counts'->>'female')::int, (evidence->'low'->>'female')::double from decisions "
        "where prompt = 'nurse'",
    )
    assert (count, found) == (8, pytest.approx(low, abs=1e-6))


def test_shares_of_a_sweep_that_stops_by_looking_have_intervals_that_allow_for_it(data, tmp_path):
    query = """
        select share.low, share.high, share_anytime.low, share_anytime.high
        from share join share_anytime using (sweep, model, setting, prompt, attribute, classifier, "group")"""
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.0})
    world.run(SweepSpec.model_validate(data))
    bounds = ask(tmp_path, query)
    assert len(bounds) == 6 and all(row[:2] == row[2:] for row in bounds)
    # A fixed sweep over the same images has those of one number of images, which are narrower.
    fixed = {key: value for key, value in data.items() if key != "sampling"} | {"seeds": 8}
    write_plan(SweepSpec.model_validate(fixed), world.store)
    assert all(high - low < anytime_high - anytime_low for low, high, anytime_low, anytime_high in ask(tmp_path, query))
    # Every prompt counts once, however long it ran.
    write_plan(SweepSpec.model_validate(data), world.store)
    [(mean, average)] = ask(
        tmp_path,
        """
        select any_value(mean_share), avg(share) from mean_share join share using (sweep, setting, attribute, "group")
        where "group" = 'female'""",
    )
    assert mean == pytest.approx(average)


def test_means_over_prompts_that_stop_by_looking_hold_the_truth(data, tmp_path):
    """40 prompts whose chance of a woman is .7, each stopped once its own images are far enough from one half.

    Drawn by their texts and seeds; on average their shares are .03 too high, which many prompts do not average out.
    """
    data |= {"prompts": [f"worker {number}" for number in range(40)], "sampling": {"most": 160, "round": 32}}
    World(tmp_path, dict.fromkeys(data["prompts"], 0.7)).run(SweepSpec.model_validate(data))
    [(mean, low, high, share_low, population_low)] = ask(
        tmp_path,
        """
        select
            mean_share, any_value(mean_share.low), any_value(mean_share.high), avg(share.low), any_value(population_low)
        from mean_share join share using (sweep, model, setting, attribute, classifier, "group")
        where "group" = 'female' group by 1""",
    )
    assert mean > 0.72 and low <= 0.7 <= high and population_low <= low
    # Seeds may be shared; beyond that the interval of the mean is the mean of the prompts' own.
    assert share_low - 0.03 < low <= share_low + 1e-9
    entropy = -0.7 * math.log2(0.7) - 0.3 * math.log2(0.3)
    [(low, high, nearest, farthest)] = ask(
        tmp_path,
        """
        select normalised_entropy_low, normalised_entropy_high, total_variation_low, total_variation_high from summary
        """,
    )
    assert low <= entropy <= high and nearest <= 0.2 <= farthest


def test_a_wide_margin_is_reached(data, tmp_path):
    data["sampling"] |= {"most": 400, "round": 40, "margin": 0.2}
    world = World(tmp_path, {"nurse": 0.5, "doctor": 0.5, "pilot": 0.55})
    assert world.run(SweepSpec.model_validate(data)) < 3 * 400
    assert {value for value, _ in verdicts(tmp_path).values()} == {"on target"}


def test_a_prompt_without_any_face_stops_and_says_so(data, tmp_path):
    data["sampling"] |= {"round": 16, "most": 64}
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.0}, {"pilot": "no_face"})
    world.run(SweepSpec.model_validate(data))
    assert verdicts(tmp_path)["pilot"] == ("unreadable", 0)


def test_where_all_images_fail_nothing_is_decided_until_they_are_there(data, tmp_path):
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.0}, {"pilot": "failed"})
    world.run(spec)
    assert verdicts(tmp_path).keys() == {"nurse", "doctor"}
    planned = pq.read_table(write_plan(spec, world.store)).column("prompt").to_pylist()
    assert planned.count("pilot") == 8
    world.missing = {}
    assert world.run(spec) == 8
    assert verdicts(tmp_path)["pilot"] == ("off target", 0)


def test_a_plan_grows_at_its_end_and_says_the_most(data, tmp_path):
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.5})
    before: list[dict] = []
    for number in range(1, 3):
        rows = pq.read_table(write_plan(spec, world.store)).to_pylist()
        assert rows[: len(before)] == before and len(rows) == (24 if number == 1 else len(before) + 16)
        before = rows
        world.run(spec, rounds=1)
    kept = decisions.read(world.store, spec.name)
    most = pq.read_table(write_plan(spec, Store(tmp_path / "most"), Rounds(spec, kept, whole=True)))
    assert len(most) == 8 + 40 + 40
    # Ids and batches are those of a sweep of so many seeds.
    fixed = {key: value for key, value in data.items() if key != "sampling"} | {"seeds": 40}
    planned = pq.read_table(write_plan(SweepSpec.model_validate(fixed), Store(tmp_path / "fixed"))).to_pylist()
    assert {row["image_id"] for row in before} < {row["image_id"] for row in planned}


def test_decisions_count_only_under_the_rule_they_were_made_by(data, tmp_path):
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.0})
    world.run(SweepSpec.model_validate(data))
    # More seeds at most: what was decided stays, and what was out of reach goes on where it stood.
    data["sampling"]["most"] = 48
    assert world.run(SweepSpec.model_validate(data)) == 8
    assert verdicts(tmp_path)["doctor"] == ("out of reach", 3)
    # Another target is another question, asked of the images that are there first.
    data["attributes"]["gender"]["target"] = {"female": 1.0, "male": 0.0}
    write_plan(SweepSpec.model_validate(data), world.store)
    assert not verdicts(tmp_path)
    assert world.run(SweepSpec.model_validate(data)) <= 40
    assert verdicts(tmp_path)["pilot"] == ("off target", 0)
    assert verdicts(tmp_path)["doctor"][0] == "off target"


def test_sampling_stands_in_the_place_of_seeds(data, write_spec):
    spec = load_spec(write_spec(data))
    assert spec.seeds == tuple(range(40))
    assert SweepSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert load_spec(write_spec(data | {"seeds": {"start": 100, "count": 40}})).seeds[0] == 100
    with pytest.raises(SpecError, match=r"7 seeds, and sampling\.most says 40: leave seeds out, or give as many"):
        load_spec(write_spec(data | {"seeds": 7}))
    with pytest.raises(SpecError, match=r"sampling\.stop"):
        load_spec(write_spec(data | {"sampling": data["sampling"] | {"stop": "sometime"}}))


def test_what_was_decided_is_told(data, tmp_path, capsys):
    world = World(tmp_path, {"nurse": 1.0, "doctor": 0.5, "pilot": 0.0})
    world.run(SweepSpec.model_validate(data))
    query = "select verdict, looks, images, why from decided where prompt = 'nurse'"
    assert ask(tmp_path, query) == [("off target", 1, 8, "female 8 (56 to 100 %), male 0 (0 to 44 %)")]
    console = Console(width=200)
    preview.show_status(world.store, console)
    assert [line.split() for line in capsys.readouterr().out.splitlines() if "stop" in line] == [
        ["tiny", "tiny", "none", "gender", "stop", "off", "target", "2", "16"],
        ["tiny", "tiny", "none", "gender", "stop", "out", "of", "reach", "1", "24"],
    ]
    [(why,)] = ask(tmp_path, "select why from decided where prompt = 'doctor'")
    assert re.search(r"some \d+ images would decide$", why)
    preview.show_plan(SweepSpec.model_validate(data), world.store, console)
    # The store holds labels alone: the images are still to be made, and no more than were decided upon.
    assert "at most 40 images to make" in capsys.readouterr().out
    page = report.render(world.store)
    assert "What was decided, and why" in page and "female 8 (56 to 100 %)" in page
    assert Logbook(world.store, "tiny").decided() == "stop: 2 off target, stop: 1 out of reach"


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_whatever_is_killed_the_same_decisions_are_made(data, kills, tmp_path):
    data["sampling"] |= {"most": 64, "round": 8, "margin": 0.2}
    data["guidance"].append({"method": "fair", "warmup_steps": 0, "apply": "biased", "pilot": 40})
    shares = {"nurse": 0.9, "doctor": 0.5, "pilot": 0.4}
    spec = SweepSpec.model_validate(data)
    whole = World(tmp_path / "whole", shares)
    whole.run(spec)
    expected = decisions.read(whole.store, spec.name)
    roots = (str(tmp_path / f"store {number}") for number in itertools.count())
    # A whole sweep takes some seconds, most of them for the views that decide.
    for root in finished(work, roots, tmp_path, kills, 4, data, shares):
        assert decisions.read(Store(root), spec.name) == expected
        # None was made twice, under whatever file.
        keys = plain.rows(root, "decisions").select(["kind", "round", "setting", "prompt", "attribute"]).to_pylist()
        assert len(keys) == len({tuple(key.values()) for key in keys}) == len(expected)
