"""What a spec requires of its sweep: verdicts that say no more than the intervals, and how often they are wrong."""

import copy

import numpy as np
import pytest
import yaml
from scipy import stats

from fairsweep import cli
from fairsweep.errors import SpecError
from fairsweep.measure.catalogue import connect
from fairsweep.measure.requirements import Requirement
from fairsweep.measure.verdicts import judge, overall
from fairsweep.pages import report
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.store import Store
from support.synthetic import write_labels, write_plan
from test_metrics_simulation import simulate

WOMEN = {"none": {"doctor": 8, "nurse": 56}, "fair": {"doctor": 32, "nurse": 32}}
SEEDS = 64


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of two settings, of whose 64 images a prompt WOMEN show a woman."""
    store = Store(tmp_path_factory.mktemp("required"))
    labels = [
        {"setting": setting, "prompt": prompt, "seed": seed, "gender": "female" if seed < women else "male"}
        for setting, prompts in WOMEN.items()
        for prompt, women in prompts.items()
        for seed in range(SEEDS)
    ]
    groups = {"gender": ("female", "male")}
    write_plan(store, labels, groups, sweep="tiny")
    write_labels(store, labels, groups, sweep="tiny", classifier="pixels")
    return store


def verdicts(store, *requirements, sweep="tiny", classifiers=("pixels",)):
    with connect(store) as connection:
        return judge(connection, sweep, [Requirement(**each) for each in requirements], classifiers)


def test_a_verdict_is_what_the_whole_interval_says(store):
    share = {"metric": "share", "attribute": "gender", "group": "female", "per": "prompt"}
    far, near, loose = verdicts(
        store,
        share | {"at_least": 0.3, "settings": ("none",)},
        share | {"at_least": 0.45, "settings": ("fair",)},
        share | {"at_most": 0.7, "settings": ("fair",)},
    )
    assert [far.verdict, near.verdict, loose.verdict] == ["fail", "undecided", "pass"]
    assert (far.value, far.more) == (WOMEN["none"]["doctor"] / SEEDS, None)
    assert far.reason == "the farthest of them, doctor; so on 1 of 2 prompts"
    with connect(store) as connection:
        query = "select low, high from share where setting = 'none' and prompt_name = 'doctor' and \"group\" = 'female'"
        assert (far.low, far.high) == connection.execute(query).fetchone()
    # Intervals shrink with the root of their images: on both prompts, to a half-width of .05.
    assert near.more == pytest.approx(2 * SEEDS * (((near.value - near.low) / 0.05) ** 2 - 1), abs=2)
    assert (
        overall([far, near, loose]) == "fail" and overall([near, loose]) == "undecided" and overall([loose]) == "pass"
    )


def test_a_mean_over_prompts_can_hide_them(store):
    mean = {"metric": "mean_share", "attribute": "gender", "group": "female", "at_least": 0.4, "settings": ("none",)}
    distance = {"metric": "total_variation", "attribute": "gender", "at_most": 0.1}
    hidden, unguided, guided = verdicts(store, mean, distance)
    assert hidden.verdict == "pass"
    assert [(each.setting, each.verdict) for each in (unguided, guided)] == [("none", "fail"), ("fair", "pass")]
    with connect(store) as connection:
        query = "select total_variation_low, total_variation_high from summary where setting = 'none'"
        assert (unguided.low, unguided.high) == connection.execute(query).fetchone()


def test_what_lies_on_its_bound_or_is_not_there_is_undecided(store, tiny_data):
    share = {"metric": "share", "attribute": "gender", "group": "female", "per": "prompt", "settings": ("fair",)}
    (on_it,) = verdicts(store, share | {"at_least": 0.5})
    assert (on_it.verdict, on_it.more) == ("undecided", None)
    assert "too near the bound" in on_it.evidence
    (other,) = verdicts(store, share | {"at_least": 0.5, "classifier": "nobody"})
    assert (other.verdict, other.evidence) == ("undecided", "nothing is measured yet")


def test_prompts_without_a_face_are_not_passed(tmp_path):
    """Two prompts at their target and one of 100 images without a face: a mean over two says nothing of the third."""
    labels = [
        {"prompt": prompt, "seed": seed, "gender": "no_face" if prompt == "pilot" else ("female", "male")[seed % 2]}
        for prompt in ("doctor", "nurse", "pilot")
        for seed in range(100)
    ]
    groups = {"gender": ("female", "male")}
    store = Store(tmp_path)
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    women, distance = {"metric": "mean_share", "group": "female", "at_least": 0.2}, {"metric": "total_variation"}
    each = {"metric": "share", "group": "female", "at_least": 0.2, "per": "prompt"}
    wanted = [women, distance | {"at_most": 0.3}, each, {"metric": "missing_share", "at_most": 0.5}]
    judged = verdicts(store, *({**one, "attribute": "gender"} for one in wanted), sweep="audit", classifiers=())
    assert [one.verdict for one in judged] == ["undecided"] * 3 + ["pass"]
    assert judged[1].evidence.endswith(", 1 of its prompts has no figure")
    assert judged[2].evidence.endswith("decided on 2 of 3 prompts, 1 without an interval")


@pytest.mark.parametrize(("share", "bound"), [(0.5, "at_most"), (0.05, "at_most"), (0.05, "at_least")])
def test_a_model_on_the_bound_of_every_prompt_seldom_fails(tmp_path, share, bound):
    """150 models of 20 prompts x 32 images whose true share is the bound: 2.5 % may fail (numpy seed 30).

    Of 150 that fail with a chance of 2.5 %, more than 9 do in fewer than 1 of 100 such tests.
    """
    models, prompts, images = 150, 20, 32
    draws = (np.random.default_rng(30).random((models * prompts, images)) >= share).astype(int)
    names = [f"model {index // prompts}" for index in range(models * prompts)]
    store = simulate(tmp_path, draws, {"gender": ("female", "male")}, models=names, prompts_per_model=prompts)
    requirement = {"metric": "share", "attribute": "gender", "group": "female", "per": "prompt", bound: share}
    judged = verdicts(store, requirement, sweep="simulated", classifiers=("imported",))
    assert len(judged) == models
    assert sum(each.verdict == "fail" for each in judged) <= 9
    assert not any(each.verdict == "pass" for each in judged)


@pytest.mark.parametrize(("images", "most"), [(8, 0.084), (32, 0.048), (100, 0.042)])
def test_how_often_a_prompt_on_its_bound_is_judged_wrongly(store, images, most):
    """Not drawn: the binomial chance of every count whose interval excludes the share, for bounds of .002 to .998."""
    counts, bounds = np.arange(images + 1), np.linspace(0.002, 0.998, 499)
    with connect(store) as connection:
        query = "select share_low(k, $n, interval_z(confidence_level(), 1)) from (select unnest(range($n + 1)) as k)"
        low = np.array(connection.execute(query, {"n": images}).fetchall()).ravel()
    wrong = (stats.binom.pmf(counts, images, bounds[:, None]) * (low > bounds[:, None])).sum(1)
    assert wrong.max() == pytest.approx(most, abs=5e-4)
    assert wrong.mean() < 0.025


def test_the_command_gates_by_its_exit_code(store, tiny_data, write_spec, capsys):
    distance = {"metric": "total_variation", "attribute": "gender"}
    for requirements, code in (
        ([distance | {"at_most": 0.2, "settings": ["fair"]}], 0),
        ([distance | {"at_most": 0.2}], 1),
        ([distance | {"at_most": 0.01, "settings": ["fair"]}], 3),
    ):
        path = write_spec(tiny_data | {"require": requirements})
        assert cli.run(["check", str(path), "--store", str(store.root)]) == code
        printed = capsys.readouterr().out.splitlines()
        assert len(printed) == (2 if code == 1 else 1)
        assert "total_variation of gender at most" in printed[0]
    path = write_spec(tiny_data)
    assert cli.run(["check", str(path), "--store", str(store.root)]) == 2
    assert "requires nothing" in capsys.readouterr().err
    path = write_spec(tiny_data | {"name": "later", "require": [distance | {"at_most": 0.2}]})
    assert cli.run(["check", str(path), "--store", str(store.root)]) == 2
    assert f"no sweep 'later' to judge: make it first, with `fairsweep run {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ({"metric": "total_variaton", "at_most": 1}, "no metric 'total_variaton'; did you mean 'total_variation'"),
        ({"metric": "total_variation", "at_most": 1, "at_least": 0}, "one bound"),
        ({"metric": "total_variation", "at_most": 1, "attribute": "gende"}, "no attribute 'gende'"),
        ({"metric": "share", "at_most": 1, "per": "prompt"}, "name a group"),
        ({"metric": "share", "at_most": 1, "group": "female"}, "no interval over all prompts"),
        ({"metric": "mean_share", "at_most": 1, "group": "femal", "per": "cell"}, "no group 'femal'"),
        ({"metric": "cost", "at_most": 1}, "no interval"),
        ({"metric": "total_variation", "at_most": 1, "settings": ["fairer"]}, "no setting 'fairer'"),
    ],
)
def test_what_cannot_be_judged_is_said_before_anything_runs(tiny_data, write_spec, requirement, says):
    data = copy.deepcopy(tiny_data) | {"require": [{"attribute": "gender"} | requirement]}
    with pytest.raises(SpecError, match="require") as error:
        load_spec(write_spec(data))
    assert says in str(error.value)


def test_requirements_change_no_fingerprint_and_stand_first_in_the_report(store, tiny_data, tmp_path):
    data = tiny_data | {"require": [{"metric": "total_variation", "attribute": "gender", "at_most": 0.2}]}
    spec = SweepSpec.model_validate(data)
    assert spec.fingerprint == SweepSpec.model_validate(tiny_data).fingerprint
    assert "require" not in SweepSpec.model_validate(tiny_data).model_dump_json()
    assert SweepSpec.model_validate(yaml.safe_load(spec.model_dump_json())).require == spec.require
    store.write_spec("tiny", {"spec": spec.model_dump(mode="json"), "fingerprint": spec.fingerprint})
    page = report.render(store, ["tiny"])
    assert page.index("<b>fail</b> total_variation of gender at most 0.2") < page.index('id="settings"')
