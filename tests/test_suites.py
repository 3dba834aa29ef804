"""Suites: specs without a model that run for any, prompts as rows, and the models of a suite side by side."""

import pytest

from fairsweep import cli
from fairsweep.errors import SpecError
from fairsweep.measure.catalogue import connect
from fairsweep.spec import load_spec
from fairsweep.spec.suites import list_suites
from fairsweep.store import Store
from support.synthetic import write_labels, write_plan


def test_every_suite_plans_images_for_any_models_and_has_a_small_variant():
    suites = {suite.name: load_spec(suite.path, models=["builtin:portraits", "a/model"]) for suite in list_suites()}
    assert len(suites) >= 10
    for name, spec in suites.items():
        assert spec.name == name
        assert [model.name for model in spec.models] == ["portraits", "model"]
        images = len(spec.prompts.expand()) * len(spec.seeds)
        small = suites.get(f"{name}-small", spec)
        assert len(small.prompts.expand()) * len(small.seeds) <= min(images, 320), name


def test_a_suite_goes_by_its_name_and_a_file_comes_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    plan = ["plan", "portraits", "--model", "builtin:portraits", "--store", "store"]
    assert cli.run(plan) == 0
    assert "128" in capsys.readouterr().out
    assert cli.run(["plan", "portraits", "--store", "store"]) == 2
    assert "no models are named: give --model" in capsys.readouterr().err
    assert cli.run(["plan", "portaits", "--store", "store"]) == 2
    assert "did you mean 'portraits'?" in capsys.readouterr().err
    (tmp_path / "portraits").write_text("name: mine\n")
    assert cli.run(plan) == 2
    assert "prompts" in capsys.readouterr().err
    assert cli.run(["suites", "--format", "csv"]) == 0
    assert "occupations,153,250,38250," in capsys.readouterr().out
    assert cli.run(["suites", "winobias"]) == 0
    (tmp_path / "copy.yaml").write_text(capsys.readouterr().out)
    assert "name: winobias" in (tmp_path / "copy.yaml").read_text()
    assert cli.run(["suites", "winobais"]) == 2
    assert "there is no suite 'winobais'; did you mean 'winobias'?" in capsys.readouterr().err


def test_a_spec_that_names_its_models_takes_no_others(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("extends: portraits\nname: own\nmodels:\n  - source: builtin:portraits\n    steps: 5\n")
    assert load_spec(path).models[0].steps == 5
    with pytest.raises(SpecError, match=r"own\.yaml:3: models: the spec names its models itself"):
        load_spec(path, models=["a/model"])


def test_what_a_suite_reads_lies_beside_the_suite(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("extends: occupations\nname: own\nseeds: 3\n")
    assert len(load_spec(path, models=["a/model"]).prompts.expand()) == 153


def test_rows_are_a_prompt_each_and_keep_what_stands_beside_the_text():
    prompts = load_spec("languages", models=["a/model"]).prompts.expand()
    assert len({prompt.name for prompt in prompts}) == len(prompts) == 40
    (nurse,) = [prompt for prompt in prompts if prompt.name == "nurse, French"]
    assert nurse.text == nurse.variables["text"] == "une photo du visage d'un infirmier"
    assert nurse.variables["language"] == "French"


@pytest.mark.parametrize(
    "prompts, message",
    [
        ("{template: '{a}', rows: [{a: x}, {b: y}]}", "row 2 has no value of 'a'"),
        ("{template: '{a}', rows: [{a: x}, {a: y, b: z}]}", "row 2 has a value of 'b'"),
        ("{template: '{a}', rows: [{a: x}, {a: x}]}", "prompt 'x' is given twice"),
        ("{template: '{a}', rows: [{a: x}], variables: {a: [x]}}", "leave variables out"),
        ("{texts: [x], rows: [{a: x}]}", "rows give the values of a template"),
        ("{template: '{a}', rows: {file: none.csv}}", "cannot read"),
        ("{template: '{a}', rows: {fil: x.csv}}", "unknown key 'fil'; did you mean 'file'?"),
    ],
)
def test_rows_that_are_wrong_are_one_line(tmp_path, prompts, message):
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: portraits\nname: own\nprompts: {prompts}\n")
    with pytest.raises(SpecError, match=message):
        load_spec(path, models=["a/model"])


def test_models_are_placed_only_where_their_intervals_lie_apart(tmp_path):
    females = {"near": 20, "close": 22, "far": 40}
    labels = [
        {"model": model, "seed": seed, "prompt": prompt, "gender": "female" if seed < count else "male"}
        for model, count in females.items()
        for prompt in ("doctor", "nurse")
        for seed in range(40)
    ]
    store = Store(tmp_path)
    groups = {"gender": ("female", "male")}
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    rows = connect(store).execute("select model, place, best, worst, tied from leaderboard order by place").fetchall()
    assert rows == [("near", 1, 1, 2, ["close"]), ("close", 2, 1, 2, ["near"]), ("far", 3, 3, 3, [])]


def test_obeyed_counts_the_images_that_show_what_their_prompt_names(tmp_path):
    shown = {"female": ["female"] * 9 + ["no_face"], "male": ["male"] * 6 + ["female"] * 4}
    labels = [
        {"seed": seed, "prompt": f"{asked} nurse", "gender": label, "variables": {"gender": asked, "job": "nurse"}}
        for asked, answers in shown.items()
        for seed, label in enumerate(answers)
    ]
    labels += [{"seed": 0, "prompt": "nurse", "gender": "female", "variables": {"job": "nurse"}}]
    store = Store(tmp_path)
    groups = {"gender": ("female", "male")}
    write_plan(store, labels, groups)
    write_labels(store, labels, groups)
    rows = connect(store).execute("select asked, images, shown, obeyed from obeyed order by all").fetchall()
    assert rows == [("female", 10, 9, 0.9), ("male", 10, 6, 0.6)]
    assert connect(store).execute("select obeyed from summary").fetchone() == (0.75,)
