"""What cannot be had is null, and says why; a group that a classifier cannot tell is never 0 %."""

import html
import io

import pytest

from fairsweep.attributes import AttributeSpec
from fairsweep.engine.outcome import Outcome
from fairsweep.measure import summary
from fairsweep.measure.catalogue import connect
from fairsweep.measure.metrics import list_metrics
from fairsweep.measure.sql import rows
from fairsweep.pages import report
from fairsweep.plan import declared
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.terminal import findings
from fairsweep.terminal.console import Screen
from support.synthetic import write_labels, write_plan

GENDERS = {"gender": ("female", "male", "nonbinary"), "age": ("young", "old")}
SHARES = {"share": "share", "mean_share": "mean_share", "share_by_variable": "share", "share_anytime": "share"}
BOUNDS = ("low", "high", "population_low", "population_high")


def images(prompts, seeds, label=None, models=("m",)):
    """Return labels of both settings; every third image is male, and every one `label` where there is one."""
    return [
        {
            "model": model, "setting": setting, "prompt": f"p{prompt}", "seed": seed,
            "gender": label or ("male" if (prompt + seed) % 3 == 0 else "female"),
            "age": label or ("old" if (prompt + 2 * seed) % 3 == 0 else "young"),
            "direction": {"gender": ("female", "male", "nonbinary")[seed % 3]} if setting == "fair" else {},
            "scale": 2.0 if setting == "fair" else None,
            "variables": {"gender": ("female", "male", "nonbinary")[prompt % 3], "kind": f"k{prompt % 2}"},
            "scores": None if label else {"female": 0.6, "male": 0.4},
            "embedding": [1.0, 0.1 * seed, 0.1 * prompt], "alignment": 0.2 + 0.01 * seed,
        }
        for model in models for setting in ("none", "fair") for prompt in range(prompts) for seed in range(seeds)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of one image, of few and of enough prompts, of images without a face, and of a group not told."""
    store = Store(tmp_path_factory.mktemp("reasons"))
    sweeps = {"one": images(1, 1, models=("m", "n")), "three": images(3, 4, models=("m", "n")), "twelve": images(12, 2)}
    for sweep, labels in {**sweeps, "unseen": images(3, 2, "no_face")}.items():
        write_plan(store, labels, groups=GENDERS, sweep=sweep)
        write_labels(store, labels, groups=GENDERS, sweep=sweep, classifier="reader")
        write_labels(store, labels[::2], groups=GENDERS, sweep=sweep, classifier="other")
    labels = images(12, 6, models=("m", "n"))
    write_plan(store, labels, groups=GENDERS, sweep="untold", unknown_to={"nonbinary": ["binary"]})
    write_labels(store, labels, groups=GENDERS, sweep="untold", classifier="binary")
    return store


@pytest.fixture(scope="module")
def views(store):
    return connect(store)


@pytest.fixture(scope="module")
def tables(views):
    """The rows of `summary` and of every metric that has an interval or speaks of groups."""
    parts = summary.in_order(views)
    ahead = [part for part in parts if not summary.reads_summary(views, part.sql)]
    for part in ahead:
        views.execute(f'create temp table "{part.name}" as {part.sql}')
    query = summary.query(views, parts, [part.name for part in ahead])
    views.execute(f"create temp table summary as {query}")
    query = (
        "select distinct table_name from duckdb_columns() where column_name in ('low', 'group', 'verdict', 'p_value')"
    )
    named = {name for (name,) in views.execute(query).fetchall()}
    names = sorted(named & {metric.name for metric in list_metrics()})
    return {name: rows(views.execute(f'from "{name}"')) for name in (*names, "summary")}


def of(tables, name, sweep, attribute="gender"):
    return [row for row in tables[name] if (row["sweep"], row.get("attribute")) == (sweep, attribute)]


def test_whatever_has_no_interval_says_why_and_nothing_else_does(tables):
    wanting = set()
    for name in tables.keys() - {"summary"}:
        for row in tables[name]:
            if "low" in row:
                missing = any(column in row and row[column] is None for column in (*BOUNDS, "share", name))
                assert missing == (row.get("reason") is not None), (name, row)
                wanting |= {name} if missing else set()
    assert wanting >= {"share", "mean_share", "dose_response", "total_variation", "model_comparison", "mcnemar"}


def test_few_prompts_are_too_few_for_an_interval_over_prompts(tables):
    for name in ("mean_share", "summary", "dose_response"):
        for sweep, reason in {
            "one": "1 prompt is too few for an interval over prompts like these",
            "three": "3 prompts are too few for an interval over prompts like these",
            "twelve": None,
        }.items():
            own = [row for row in of(tables, name, sweep, "age") if row["classifier"] == "reader"]
            assert {row["reason"] for row in own} == {reason}, (name, sweep)


def test_a_group_that_a_classifier_cannot_tell_is_not_measured(tables):
    """Of 12 prompts and 6 seeds two thirds are female, a third male; nonbinary, which the spec asks for, never 0 %."""
    why = "not measured: binary cannot tell nonbinary"
    for name, value in SHARES.items():
        measured = [row for row in of(tables, name, "untold") if row["group"] != "nonbinary"]
        assert {row["group"] for row in measured} == {"female", "male"} and None not in {row[value] for row in measured}
        others = [row for row in of(tables, name, "untold") if row["group"] == "nonbinary"]
        assert others and {(row[value], row["low"], row["high"], row["reason"]) for row in others} == {
            (None, None, None, why)
        }
    assert {round(row["mean_share"], 9) for row in of(tables, "mean_share", "untold") if row["group"] == "male"} == {
        round(1 / 3, 9)
    }
    for row in of(tables, "summary", "untold"):
        figures = ("total_variation", "normalised_entropy", "change_from_baseline", "cell_p", "least_difference")
        assert [row[name] for name in figures] == [None] * 5 and row["reason"] == why
        assert row["prompts_off_target"] == 0 and row["shares"]["nonbinary"] is None
    assert {row["farthest"] for row in of(tables, "share_anytime", "untold")} == {None}
    verdicts = {(row["verdict"], row["p_value"], row["reason"]) for row in of(tables, "target_test", "untold")}
    assert verdicts == {("not measured", None, why)}
    assert {row["p_value"] for row in of(tables, "cell_test", "untold")} == {None}


def test_no_view_compares_a_group_that_a_classifier_cannot_tell(tables):
    """Two of three directions and of three prompts name a group that it can tell."""
    for name in tables.keys() - {"summary", "side_effects", *SHARES}:
        for row in tables[name]:
            named = {row.get(column) for column in ("group", "other_group", "asked")}
            assert row["sweep"] != "untold" or "nonbinary" not in named, (name, row)
    assert of(tables, "distance_change", "untold") == [] and of(tables, "distance_change", "untold", "age") != []
    assert of(tables, "intersections", "untold", "age") == [] and of(tables, "intersections", "three", "age") != []
    assert {row["n"] for row in of(tables, "steering", "untold")} == {4}
    assert len(of(tables, "obeyed", "untold")) == 2 * 2 * 8


def test_the_first_screen_and_the_terminal_say_what_is_not_measured(store):
    why = "not measured: binary cannot tell nonbinary"
    page = html.unescape(report.render(store, ["untold"]))
    assert f"m, none: gender is {why}" in page and f"unguided </span>{why}" in page
    assert "The model m, as read by the classifier binary, is found off its age target" in page
    screen = Screen(file=io.StringIO(), width=200)
    findings.show(store, "untold", Outcome(), None, screen)
    printed = screen.file.getvalue()
    line = next(line for line in printed.splitlines() if "nonbinary" in line)
    assert line.split()[-4:] == ["\N{EN DASH}"] * 4 and f"\N{EN DASH}: {why}" in printed
    assert len([line for line in printed.splitlines() if "from the target on average" in line]) == 4


def test_a_spec_writes_down_who_cannot_tell_a_group():
    """portraits tells female and male, and nothing of another attribute; open_clip whatever is declared."""
    spec = SweepSpec.model_validate(
        {
            "name": "s",
            "models": [{"name": "m", "source": "builtin:portraits"}],
            "prompts": {"template": "a nurse"},
            "attributes": {
                "gender": AttributeSpec.declare(GENDERS["gender"]),
                "mood": AttributeSpec.declare(["glad", "sad"]),
            },
            "guidance": [{"method": "none"}],
            "classifiers": [{"kind": "portraits"}, {"kind": "open_clip"}],
            "seeds": 1,
        }
    )
    told = {(row["attribute"], row["group"]): row["unknown_to"] for row in declared.targets(spec)}
    assert told.pop(("gender", "nonbinary")) == ["portraits"]
    assert len(told) == 4 and not any(told.values())
