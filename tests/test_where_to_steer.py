"""Settings that steer only where they must, prompts that name a group, and targets that ask for less parity."""

import copy

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from fairsweep.attributes import AttributeSpec
from fairsweep.errors import SpecError
from fairsweep.pages import report
from fairsweep.plan import decisions
from fairsweep.plan.naming import naming, one_sided
from fairsweep.plan.plan import write_plan
from fairsweep.plan.rounds import Rounds
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.store import Store
from fairsweep.tracking.logbook import Logbook
from support.checks import ask
from support.worlds import GENDER, World

BIASED = ["nurse", "firefighter"]
FAIR = ["artist", "chef", "pilot"]
NAMED = "female mechanic"


@pytest.fixture
def data(tiny_data) -> dict:
    """Return a sweep whose guided setting steers only prompts that are off their target."""
    return tiny_data | {
        "prompts": [*BIASED, *FAIR, NAMED],
        "attributes": copy.deepcopy(GENDER),
        "guidance": [{"method": "none"}, {"method": "fair", "warmup_steps": 0, "apply": "biased", "pilot": 40}],
        "seeds": 12,
    }


def world(root) -> World:
    return World(root, {"nurse": 0.95, "firefighter": 0.02, NAMED: 1.0} | dict.fromkeys(FAIR, 0.5))


def planned(root, pilot: str = "not pilot") -> list[tuple]:
    query = f"""
        select setting, prompt, count(*), count(*) filter (cardinality(direction) > 0)
        from plan_rows where {pilot} group by all order by all"""
    return ask(root, query)


def test_only_prompts_off_target_are_steered(data, tmp_path):
    spec = SweepSpec.model_validate(data)
    drawn = world(tmp_path)
    # At first the pilots and the unguided setting are planned alone.
    write_plan(spec, drawn.store)
    assert planned(tmp_path, "true") == sorted(
        [("fair", prompt, 40, 0) for prompt in (*BIASED, *FAIR, NAMED)]
        + [("none", prompt, 12, 0) for prompt in (*BIASED, *FAIR, NAMED)]
    )
    drawn.run(spec)
    query = """select prompt, verdict, "group" from over_drawn order by prompt"""
    found = {prompt: (verdict, group) for prompt, verdict, group in ask(tmp_path, query)}
    assert found["nurse"] == ("steer", "female") and found["firefighter"] == ("steer", "male")
    assert found[NAMED] == ("names a group", "female")
    assert {found[prompt][0] for prompt in FAIR} == {"leave alone"}
    guided = {prompt: (images, steered) for setting, prompt, images, steered in planned(tmp_path) if setting == "fair"}
    assert guided == {prompt: (12, 12 if prompt in BIASED else 0) for prompt in guided} and len(guided) == 6
    # What is left alone is the unguided image itself, and is not made again.
    query = "select prompt, count(*), count(distinct image_id) from plan group by all order by all"
    assert {prompt: ids for prompt, _, ids in ask(tmp_path, query)} == {
        prompt: 24 if prompt in BIASED else 12 for prompt in guided
    }
    # No image of a pilot is one of the result, nor counted in any view.
    [(images,)] = ask(tmp_path, "select max(images) from share")
    assert images == 12
    assert ask(tmp_path, "select count(*) from plan_rows where pilot and image_id in (select image_id from plan)") == [
        (0,)
    ]
    assert drawn.run(spec) == 0


def test_a_pilot_that_fails_decides_nothing_and_is_tried_again(data, tmp_path):
    spec = SweepSpec.model_validate(data)
    drawn = world(tmp_path)
    drawn.missing = {"nurse": "failed", "pilot": "no_face"}
    drawn.run(spec)
    found = dict(ask(tmp_path, "select prompt, verdict from over_drawn"))
    assert "nurse" not in found and found["pilot"] == "unreadable"
    assert ("fair", "nurse") not in {row[:2] for row in planned(tmp_path)}
    drawn.missing = {}
    drawn.run(spec)
    assert dict(ask(tmp_path, "select prompt, verdict from over_drawn"))["nurse"] == "steer"
    assert ("fair", "nurse", 12, 12) in planned(tmp_path)


def test_what_is_steered_otherwise_is_looked_at_anew(data, tmp_path):
    """Once the spec says that a prompt names a group, it is steered no more, and its verdict is of other images."""
    del data["seeds"]
    data["sampling"] = {"most": 48, "round": 16, "margin": 0.2}
    drawn = world(tmp_path)
    drawn.run(SweepSpec.model_validate(data))
    query = "select verdict from decided where setting = 'fair' and prompt = 'nurse' and kind = 'stop'"
    assert ask(tmp_path, query) == [("on target",)]
    rows = [{"text": text, "name": text, "gender": "female" if text == "nurse" else "any"} for text in data["prompts"]]
    data["prompts"] = {"template": "{text}", "rows": rows}
    spec = SweepSpec.model_validate(data)
    drawn.run(spec)
    assert ask(tmp_path, query) == [("off target",)]
    [(low,)] = ask(
        tmp_path, """select low from share where setting = 'fair' and prompt = 'nurse' and "group" = 'female'"""
    )
    assert low > 0.5
    assert drawn.run(spec) == 0


@pytest.mark.parametrize(
    ("text", "variables", "groups"),
    [
        ("a photo of a female doctor", {}, ("female",)),
        ("a photo of a Male nurse", {}, ("male",)),
        ("a photo of a doctor", {}, ()),
        ("a female doctor and a male nurse", {}, ("female", "male")),
        ("a photo of a person", {}, ()),
        ("a photo of a doctor", {"gender": "male"}, ("male",)),
        ("a photo of a doctor", {"gender": "all"}, ()),
        ("a photo of a female doctor", {"gender": "all"}, ("female",)),
        ("a photo of a female impersonator", {"gender": "none"}, ()),
        ("a photo of a tamale vendor", {}, ()),
    ],
)
def test_a_prompt_names_a_group_by_a_word_that_is_the_groups_own(text, variables, groups):
    attribute = AttributeSpec.declare({"female": "female person", "male": "male person"})
    assert naming(text, variables, "gender", attribute).groups == groups


SKEWED = {"female": 0.98, "male": 0.02}


def skewed(data: dict, **more) -> SweepSpec:
    data = copy.deepcopy(data)
    data["attributes"]["gender"]["target"] = SKEWED
    data["guidance"] = [{"method": "none"}, {"method": "fair", "warmup_steps": 0}]
    return SweepSpec.model_validate(data | more)


def test_a_target_farther_from_parity_than_the_unguided_model_is_refused(data, tmp_path):
    spec, drawn = skewed(data), world(tmp_path)
    drawn.run(spec)
    # Nothing was steered; the line says why.
    assert {row[0] for row in planned(tmp_path)} == {"none"}
    [line] = Rounds(spec, decisions.read(drawn.store, spec.name)).skew.refusals()
    assert line.startswith("refused: the target of gender is farther from parity than tiny without guidance, on ")
    assert line.endswith("so that fair would make it less fair: where that is meant, say allow_skew: true")
    allowed = skewed(data, allow_skew=True)
    drawn.run(allowed)
    assert ("fair", "nurse", 12, 12) in planned(tmp_path)
    assert not Rounds(allowed, decisions.read(drawn.store, spec.name)).skew.refusals()
    # Said all the same, on top of the report and in MLflow.
    assert "skewed on purpose" in report.render(drawn.store)
    line = "skewed on purpose: fair makes tiny less even in gender"
    assert Logbook(drawn.store, spec.name).skewed() == [line]


def test_a_target_nearer_to_parity_than_the_unguided_model_is_none_of_these(data, tmp_path):
    spec, drawn = skewed(data, prompts=BIASED, seeds=40), world(tmp_path)
    tame = spec.model_copy(
        update={
            "attributes": {
                "gender": AttributeSpec.declare(
                    {"female": "female person", "male": "male person"}, {"female": 0.75, "male": 0.25}
                )
            }
        }
    )
    drawn.run(tame)
    assert ask(tmp_path, "select value from decisions where kind = 'skew'") == [("no farther from parity",)]
    assert {row[0] for row in planned(tmp_path)} == {"none", "fair"}


def test_an_even_target_is_planned_at_once(data, tmp_path):
    data["guidance"] = [{"method": "none"}, {"method": "fair", "warmup_steps": 0}]
    assert not Rounds(SweepSpec.model_validate(data)).decide
    write_plan(SweepSpec.model_validate(data), Store(tmp_path))
    assert {row[0] for row in planned(tmp_path)} == {"none", "fair"}


def test_the_most_that_a_pilot_may_lead_to(data, tmp_path):
    spec = SweepSpec.model_validate(data)
    rows = pq.read_table(write_plan(spec, Store(tmp_path), Rounds(spec, whole=True))).to_pylist()
    assert len(rows) == 6 * (40 + 12 + 12)


def test_a_pilot_belongs_to_a_setting_that_steers_where_it_must(data, write_spec):
    data["guidance"][1] = {"method": "fair", "warmup_steps": 0, "pilot": 40}
    with pytest.raises(SpecError, match="only apply: biased has a pilot"):
        load_spec(write_spec(data))
    data["guidance"][1] = {"method": "negative-prompt", "apply": "biased"}
    with pytest.raises(SpecError, match="steers no image to a group"):
        load_spec(write_spec(data))


def test_what_asks_for_one_group_alone_is_named(data):
    spec = SweepSpec.model_validate(data)
    assert one_sided(spec) == ["prompts that name a group of gender: female mechanic"]
    data["attributes"]["gender"]["target"] = {"female": 1.0, "male": 0.0}
    assert one_sided(SweepSpec.model_validate(data))[0] == "the target of gender asks for female alone"


def test_images_that_decided_would_flatter_what_is_left_alone():
    """Of 20,000 prompts whose true share is .35, those that a pilot of 32 leaves alone: on the pilot, and on others."""
    chance = np.random.default_rng(7)
    n, true, prompts = 32, 0.35, 20_000
    pilot, fresh = chance.binomial(n, true, prompts), chance.binomial(n, true, prompts)
    found = np.array([binomtest(count, n, 0.5).pvalue <= 0.05 for count in range(n + 1)])
    alone = ~found[pilot]
    assert 0.3 < alone.mean() < 0.8
    # Three standard errors of the mean of those that are left alone.
    error = 3 * np.sqrt(true * (1 - true) / n / alone.sum())
    assert abs((fresh[alone] / n).mean() - true) < error
    assert (pilot[alone] / n).mean() - true > 0.02 > 3 * error
