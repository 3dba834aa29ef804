import json
import pickle
import textwrap

import jsonschema
import pytest
import yaml

from fairsweep import cli, shipped
from fairsweep.errors import SpecError
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.spec.schema import spec_schema

GOOD = """\
name: audit
models:
  - source: builtin:portraits
    steps: 20
prompts:
  template: "a photo of the face of a {occupation}"
  variables:
    occupation: [nurse, pilot]
attributes:
  gender:
    groups:
      female: female person
      male: male person
    target:
      female: 0.5
      male: 0.5
guidance:
  - method: none
  - method: fair
    scale: 4
classifiers:
  - kind: portraits
seeds: 4
"""

# what is wrong, the text to replace, its replacement, the line and the words of the message
BAD = [
    ("unknown key", "    steps: 20", "    stpes: 20", 4, "models[0].stpes: unknown key; did you mean 'steps'?"),
    ("unknown top key", "seeds: 4", "seed: 4", 23, "seed: unknown key; did you mean 'seeds'?"),
    ("wrong type", "    steps: 20", "    steps: many", 4, "models[0].steps: give a whole number, not 'many'"),
    ("a size", "    steps: 20", "    width: 63", 4, "models[0].width: input should be a multiple of 8, not 63"),
    ("empty list", "    occupation: [nurse, pilot]", "    occupation: []", 5, "'occupation' has no values"),
    ("no models", "models:\n  - source: builtin:portraits\n    steps: 20", "models: []", 2, "models: "),
    (
        "targets",
        "      female: 0.5",
        "      female: 0.9",
        14,
        "attributes.gender.target: the target shares sum to 1.4, not to 1",
    ),
    (
        "targets with their groups",
        "female: female person\n      male: male person\n    target:\n      female: 0.5\n      male: 0.5",
        "female: {text: a, target: 0.9}\n      male: {text: b, target: 0.5}",
        11,
        "attributes.gender.groups: the target shares sum to 1.4, not to 1",
    ),
    (
        "a target in percent",
        "      female: 0.5",
        "      female: 40",
        15,
        "attributes.gender.target.female: give a share from 0 to 1, such as 0.4, not 40",
    ),
    ("a target that is no number", "      female: 0.5", "      female: half", 15, "gender.target.female: give a share"),
    (
        "unknown group in target",
        "      female: 0.5",
        "      femal: 0.5",
        15,
        "gender.target.femal: no such group; did you mean 'female'?",
    ),
    (
        "a group that is none",
        "female: female person\n      male: male person\n    target:\n      female: 0.5\n      male: 0.5",
        "no_face: nobody\n      male: male person",
        11,
        "'no_face' stands for what is no group: choose another name",
    ),
    ("an attribute that is none", "  gender:", "  _image:", 10, "this stands for the whole image: choose another name"),
    ("empty groups", "      female: female person\n      male: male person", "      {}", 14, "no such group"),
    (
        "duplicate names",
        "  - method: none",
        "  - {method: none}\n  - {method: none}",
        19,
        "the name 'none' is given twice",
    ),
    ("variable without values", "{occupation}", "{job}", 5, "template variable 'job' has no values"),
    ("unknown method", "method: fair", "method: fiar", 19, "unknown guidance method 'fiar'; did you mean 'fair'?"),
    ("unknown parameter", "    scale: 4", "    scael: 4", 20, "guidance[1].scael: unknown key; did you mean 'scale'?"),
    (
        "bad parameter",
        "    scale: 4",
        "    threshold: 7",
        20,
        "guidance[1].threshold: input should be less than or equal to 1",
    ),
    (
        "scale of an unknown attribute",
        "    scale: 4",
        "    scale: {gender: 4, gendre: 3}",
        20,
        "guidance[1].scale.gendre: no attribute that this setting steers; did you mean 'gender'?",
    ),
    (
        "scale of no form",
        "    scale: 4",
        "    scale: strong",
        20,
        "scale: 'strong' does not fit: edit scale, or one per",
    ),
    ("scale in a list", "    scale: 4", "    scale: [4, strong]", 20, "guidance[1].scale: 'strong' does not fit: edit"),
    (
        "scale of no number",
        "    scale: 4",
        "    scale: {gender: x}",
        20,
        "guidance[1].scale.gender: give a number, not 'x'",
    ),
    ("scale without end", "    scale: 4", "    scale: .inf", 20, "guidance[1].scale: input should be a finite number"),
    (
        "test of no form",
        "seeds: 4",
        "seeds: 4\nencoder: {tests: [5]}",
        24,
        "encoder.tests[0]: 5 does not fit: tests of",
    ),
    (
        "test with an unknown key",
        "seeds: 4",
        "seeds: 4\nencoder: {tests: [{nam: x}]}",
        24,
        "encoder.tests[0].nam: unknown key; did you mean 'name'?",
    ),
    (
        "test without a key",
        "seeds: 4",
        "seeds: 4\nencoder: {tests: [{name: x, x: a, y: b, a: c}]}",
        24,
        "encoder.tests[0].b: this key is missing",
    ),
    (
        "variables that are no texts",
        "seeds: 4",
        "seeds: 4\nrun: {runtime_env: {env_vars: {A: 1}}}",
        24,
        "run.runtime_env: env_vars takes names with texts: put numbers and such in quotes",
    ),
    ("seeds of no form", "seeds: 4", "seeds: many", 23, "seeds: give a count, a list of whole numbers, or {start, co"),
    ("seeds without a count", "seeds: 4", "seeds: {start: 4}", 23, "seeds: give a count, a list of whole numbers, or"),
    ("images of no form", "seeds: 4", "seeds: 4\nimages: 5", 24, "images: give where the pictures lie, or a mapping"),
    (
        "groups of no form",
        "      female: female person\n      male: male person",
        "      5",
        11,
        "groups: give a list of",
    ),
    (
        "a list of groups",
        "      female: female person\n      male: male person",
        "      [a, [b]]",
        11,
        "groups: a group is",
    ),
    (
        "models of no form",
        "models:\n  - source: builtin:portraits\n    steps: 20",
        "models: 5",
        2,
        "models: give a list, not 5",
    ),
    (
        "a model of no form",
        "  - source: builtin:portraits\n    steps: 20",
        "  - sd",
        3,
        "models[0]: give a mapping, not 'sd'",
    ),
    ("scale of too few", "    scale: 4", "    scale: {}", 20, "guidance[1].scale: no scale for 'gender'"),
    (
        "label of an unknown group",
        "kind: portraits",
        "{kind: transformers, model: m, labels: {gender: {Man: male, Woman: femal}}}",
        22,
        "classifiers[0].labels.gender.Woman: attribute 'gender' has no group 'femal'; did you mean 'female'?",
    ),
    ("unknown classifier", "kind: portraits", "kind: portrait", 22, "did you mean 'portraits'?"),
    ("attribute not declared", "    scale: 4", "    attributes: [gendre]", 20, "did you mean 'gender'?"),
    ("duplicate key", "seeds: 4", "seeds: 4\nname: other", 24, "name: this key is given twice"),
    ("bad name", "name: audit", "name: my audit!", 1, "name: give letters, digits, '.', '_' and '-' alone, not"),
    ("name of nothing", "name: audit", "name:", 1, "name: give a text (in quotes, where it looks like a number)"),
    ("text for a list", "[nurse, pilot]", "nurse", 8, "prompts.variables.occupation: give a list, not 'nurse'"),
    ("no number", "    scale: 4", "    threshold: x", 20, "guidance[1].threshold: give a number, not 'x'"),
    ("seeds below nothing", "seeds: 4", "seeds: -3", 23, "or {start, count}, not -3"),
    (
        "built-in model",
        "builtin:portraits",
        "builtin:portrait",
        3,
        "models[0].source: no built-in model 'builtin:portrait'",
    ),
    (
        "extends nothing",
        "name: audit",
        "name: audit\nextends: occupation",
        2,
        "extends: occupation: there is no such file",
    ),
    ("extends no file", "name: audit", "name: audit\nextends: ./x.yaml", 2, "extends: ./x.yaml: there is no such file"),
    ("negative seeds", "seeds: 4", "seeds: [1, -2]", 23, "seeds[1]: "),
    ("no seeds", "seeds: 4", "seeds: 0", 23, "seeds: "),
    ("seed twice", "seeds: 4", "seeds: [3, 3]", 23, "a seed is given twice"),
    ("not YAML", "seeds: 4", "seeds: [4", 24, "this is not YAML"),
    ("missing file", "[nurse, pilot]", "{file: nowhere.txt}", 8, "cannot read"),
    ("missing key", "classifiers:\n  - kind: portraits\n", "", 1, "classifiers: this key is missing"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_mistake_is_one_line_that_names_file_line_and_key(tmp_path, capsys, old, new, line, words):
    path = tmp_path / "spec.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    store = tmp_path / "store"
    assert cli.run(["run", str(path), "--store", str(store)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1, printed
    assert f"spec.yaml:{line}:" in printed
    assert words in printed
    assert not store.exists()


def test_a_group_that_no_classifier_knows(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace("female: female person", "femle: female person").replace("female: 0.5", "femle: 0.5"))
    with pytest.raises(SpecError, match=r"12: attributes\.gender\.groups\.femle: no classifier knows.*mean 'female'"):
        load_spec(path)


def test_an_attribute_that_no_classifier_knows(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace("  gender:", "  gendre:"))
    with pytest.raises(SpecError, match="no classifier knows the attribute 'gendre'; did you mean 'gender'"):
        load_spec(path)


def test_a_spec_that_is_not_there():
    with pytest.raises(SpecError, match="cannot read the spec: No such file"):
        load_spec("nowhere.yaml")


def test_a_good_spec_is_frozen_and_travels(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD)
    spec = load_spec(path)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert spec.seeds == (0, 1, 2, 3)
    assert spec.guidance[1].params["threshold"] == 0.95
    assert SweepSpec.model_validate_json(spec.model_dump_json()) == spec
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"


def test_lists_sweep(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        GOOD.replace("    steps: 20", "    guidance_scale: [1, 3.5]")
        .replace("    scale: 4", "    scale: [2, 4]\n    warmup_steps: [0, 5]")
        .replace("seeds: 4", "seeds: {start: 10, count: 3}")
    )
    spec = load_spec(path)
    assert [model.name for model in spec.models] == ["portraits-cfg1", "portraits-cfg3.5"]
    assert [setting.name for setting in spec.guidance] == [
        "none",
        "fair-scale2-warmup_steps0",
        "fair-scale2-warmup_steps5",
        "fair-scale4-warmup_steps0",
        "fair-scale4-warmup_steps5",
    ]
    assert spec.seeds == (10, 11, 12)


def test_a_mistake_inside_a_grid_stands_where_it_was_written(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace("  - method: none", "  - {method: prompt}").replace("scale: 4", "threshold: [0.9, 7]"))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert (caught.value.line, caught.value.key) == (20, "guidance[1].threshold")


@pytest.mark.parametrize(
    ("name", "text", "asked"),
    [
        ("jobs.txt", "# occupations\nnurse\n\npilot\nnurse\n", "{file: jobs.txt}"),
        ("jobs.csv", "occupation,n\nnurse,3\npilot,4\n", "{file: jobs.csv}"),
        ("jobs.csv", "n,name\n3,nurse\n4,pilot\n", "{file: jobs.csv, column: name}"),
    ],
)
def test_variables_come_from_a_file_beside_the_spec(tmp_path, monkeypatch, name, text, asked):
    (tmp_path / name).write_text(text)
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace("[nurse, pilot]", asked))
    monkeypatch.chdir("/")
    prompts = load_spec(path).prompts.expand()
    assert [(prompt.name, prompt.text) for prompt in prompts] == [
        ("nurse", "a photo of the face of a nurse"),
        ("pilot", "a photo of the face of a pilot"),
    ]


def test_a_plain_list_of_prompts(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace(GOOD[GOOD.index("prompts:") : GOOD.index("attributes:")], "prompts: [a dog, a cat]\n"))
    assert [prompt.name for prompt in load_spec(path).prompts.expand()] == ["a dog", "a cat"]
    path.write_text(path.read_text().replace("a cat", "a dog"))
    with pytest.raises(SpecError, match="5: prompts: prompt 'a dog' is given twice"):
        load_spec(path)


def test_extends_another_spec(tmp_path):
    (tmp_path / "base.yaml").write_text(GOOD)
    path = tmp_path / "spec.yaml"
    path.write_text("extends: base.yaml\nname: more\nseeds: 9\n")
    spec = load_spec(path)
    assert (spec.name, len(spec.seeds), len(spec.guidance)) == ("more", 9, 2)
    (tmp_path / "base.yaml").write_text(GOOD.replace("steps: 20", "steps: 0"))
    with pytest.raises(SpecError, match=r"base.yaml:4: models\[0\].steps"):
        load_spec(path)


def test_targets_are_uniform_where_silent(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD.replace(textwrap.dedent(GOOD[GOOD.index("    target:") : GOOD.index("guidance:")]), ""))
    path.write_text(GOOD.replace(GOOD[GOOD.index("    target:") : GOOD.index("guidance:")], ""))
    assert load_spec(path).attributes["gender"].target == {"female": 0.5, "male": 0.5}


def test_bare_yes_and_no_stay_words(tmp_path):
    path = tmp_path / "spec.yaml"
    own = "  glasses:\n    groups: {no: person without glasses, yes: person with glasses}\n"
    path.write_text(GOOD.replace("guidance:\n", own + "guidance:\n").replace("kind: portraits", "kind: open_clip"))
    assert list(load_spec(path).attributes["glasses"].groups) == ["no", "yes"]


def test_the_schema_accepts_the_shipped_specs(capsys):
    assert cli.run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    paths = sorted(shipped.path("jobs").rglob("*.yaml"))
    assert len(paths) > 10
    for path in paths:
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
        load_spec(path, models=["a/model"] if path.parent.name == "suites" else ())


@pytest.mark.parametrize("change", [("steps: 20", "stpes: 20"), ("scale: 4", "scael: 4"), ("seeds: 4", "seeds: 0")])
def test_the_schema_refuses_what_the_reader_refuses(change):
    jsonschema.validate(yaml.safe_load(GOOD), spec_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GOOD.replace(*change)), spec_schema())


def test_the_occupations_sweep_is_the_audit_of_fair_diffusion():
    spec = load_spec(shipped.path("jobs") / "occupations.yaml")
    assert len(spec.prompts.expand()) == 153
    assert len(spec.seeds) == 250
    assert [model.guidance_scale for model in spec.models] == [7, 7]
    fair = {"scale": 4, "threshold": 0.95, "warmup_steps": 5, "momentum_scale": 0.5, "momentum_beta": 0.6}
    assert fair.items() <= spec.guidance[1].params.items()
