"""Specs as nobody should write them: each is read, or refused in one line that names the file."""

import copy
import random
import re
import tracemalloc

import pytest
import yaml

from fairsweep.errors import SpecError
from fairsweep.spec import SweepSpec, load_spec

PLAIN = """\
name: audit
notes: &words a first look
models:
  - {name: one, source: builtin:portraits, steps: [2, 4]}
prompts:
  template: "the face of a {occupation}"
  negative_prompt: *words
  variables:
    occupation: [nurse, pilot]
attributes:
  gender:
    groups: {female: female person, male: male person}
    target: {female: 0.5, male: 0.5}
  age: {groups: [young, old]}
guidance:
  - method: none
  - {name: steered, method: fair, scale: [2, 4], attributes: [gender]}
classifiers:
  - {kind: open_clip, name: clip}
seeds: {start: 3, count: 2}
run: {batch_size: 4, actors: 1, cpus_per_actor: 1}
"""
# What stands where something else should: texts of YAML, each on one line.
ODD = [
    *("", "~", "yes", "0", "-1", "1.5", ".nan", ".inf", "1e400", "1" * 5000, "0x" + "f" * 5000, "1000000000000"),
    *("2024-13-45", "2024-01-02", "12:99:99", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!binary x"),
    *("!!python/object:os.system x", "!!set {a, b}", "!!omap [a: 1]", "!unknown x", "*nothing", "&words x", "*words"),
    *("[]", "{}", "[[]]", "[{}]", "{a: {b: [c]}}", "&loop [*loop]", "&loop {a: *loop}", "{<<: 3}", "{<<: [a]}"),
    *("[" * 40 + "]" * 40, "[" * 3000, "{a: " * 500, "? [a]", "{[a]: b}", "'", '"', '"\\ud800"', '"\\0"', '"\\e[2J"'),
    *("~nouser", "~nouser/model", "/dev/zero", "/dev/null", "/", ".", "../", "nowhere.yaml", "{file: /dev/zero}"),
    *(
        "{file: .}",
        "{file: null}",
        "{file: [a]}",
        "{column: 3}",
        "{file: spec.yaml, column: {}}",
        "os:path",
        "torch:nn",
    ),
    *("json:JSONDecoder", ":", "a:", ":b", "this.is.not:There", ".json:loads", "antigravity", "{occupation}", "{", "%"),
    *("\x00", "\x1b[31m", "\x7f", "\ufeff", "\ufffe", "\u202e", "\t", "é" * 300, "a" * 5000, "[/red]", "@", "`"),
    *("{start: 0, count: 1000000000000}", "{count: -5}", "{start: 18446744073709551616, count: 2}", "[1, 1]", "[true]"),
    *(
        "[" + ", ".join(f"v{number}" for number in range(2000)) + "]",
        "portraits",
        "transformers",
        "none",
        "{method: x}",
    ),
]
# The same as data of a well-formed file.
VALUES = [
    *(None, True, 0, -1, 1.5, float("nan"), float("inf"), 2**63, 2**64, 1e300, "", " ", "a\nb"),
    *([], {}, [[]], [{}], [None], {"a": {"b": ["c"]}}, [1, 1], [True], [0.5, "x"], {"start": 0, "count": 10**12}),
    *({"count": -5}, {"file": "/dev/zero"}, {"file": "."}, {"file": None}, {"file": "spec.yaml", "column": {}}),
    *("~nouser", "/dev/null", "/", ".", "os:path", "torch:nn", "json:JSONDecoder", ":", "a:", ":b", "no.such:Thing"),
    *(".json:loads", "antigravity:x", "{occupation}", "{", "é" * 300, "[/red]", "\u202e", list(range(2000))),
    *("portraits", "transformers", "none", "prompt", {"method": "x"}, {"female": 0.5}, {"female": 1, "male": 0}),
    *([["female", "male"]], {"female": None, "male": 3}, {"gender": 4}, {"gender": [4]}, {"female": {"target": 1}}),
]


def mutated_text(chance: random.Random) -> str:
    """Return the plain spec with one or two of its lines changed: a value, a key, the depth, a character."""
    lines = PLAIN.splitlines()
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(lines))
        line, kind = lines[at], chance.randrange(6)
        if kind <= 1:
            lines[at] = re.sub(r"(?<=: ).+", lambda _: chance.choice(ODD), line, count=1)
        elif kind == 2:
            keys = ("", "name:", "file:", "source:", "params:", "<<:", "extends:", "groups:")
            lines[at] = re.sub(r"\w+:", chance.choice(keys), line, count=1)
        elif kind == 3:
            lines[at] = chance.choice(("", f"{line}\n{line}", f"  {line}", line[2:]))
        elif kind == 4:
            lines.insert(at, chance.choice(("extends: ", "run: ", "  - ", "<<: ", "notes: ")) + chance.choice(ODD))
        else:
            place = chance.randrange(len(line) + 1)
            lines[at] = line[:place] + chance.choice("\x00\x1b\x85\u2028\ufeff\t:{}[]&*!|>'\"%@`#,?-") + line[place:]
    return "\n".join(lines) + "\n"


def mutated_data(chance: random.Random) -> str:
    """Return the plain spec, well formed, with one or two values of its tree replaced, dropped or doubled."""
    data = yaml.safe_load(PLAIN)
    for _ in range(chance.choice((1, 1, 2))):
        nodes = [data]
        for node in nodes:
            children = node.values() if isinstance(node, dict) else node
            nodes += [child for child in children if isinstance(child, dict | list) and child]
        node = chance.choice(nodes)
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        kind = chance.randrange(5)
        if kind <= 2:
            node[key] = copy.deepcopy(chance.choice(VALUES))
        elif kind == 3:
            del node[key]
        elif isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        else:
            node[chance.choice(("scale", "params", "target", "texts", "name", "extra", "source"))] = node[key]
    return yaml.safe_dump(data, allow_unicode=chance.random() < 0.5)


def outcome(path) -> str:
    """Return "read", or the line that refuses the spec, checked to be one that a terminal can show."""
    try:
        assert isinstance(load_spec(path), SweepSpec)
        return "read"
    except SpecError as error:
        line = str(error)
        assert line.startswith(str(path.parent)) and len(line.splitlines()) == 1, line
        line.encode()
        return line


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("mutated", [mutated_text, mutated_data])
def test_a_mutated_spec_is_read_or_refused_in_one_line(tmp_path, mutated, part):
    """A thousand mutations in all: no other error leaves the reader, and both outcomes happen."""
    chance = random.Random(part)
    path = tmp_path / "spec.yaml"
    outcomes = []
    for _ in range(125):
        path.write_bytes(mutated(chance).encode("utf-8", "surrogatepass"))
        outcomes.append(outcome(path))
    assert outcomes.count("read") >= 10
    assert len(set(outcomes)) >= 40


LAUGHS = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("name: audit", "name: au\x07dit", ":1: ", "the character U+0007 is not allowed"),
        ("name: audit", 'name: "au\\ud800dit"', ":1: name: ", "the character U+D800 is not allowed in a text"),
        ("name: audit", f"l0: &l0 ha\n{LAUGHS}\nname: audit", ":7: l6: ", "more than 200,000 values"),
        ("[nurse, pilot]", "&jobs [nurse, *jobs]", ":9: prompts.variables.occupation[1]: ", "inside what it is"),
        ("[nurse, pilot]", "[" * 33 + "]" * 33, ":9: ", "nested deeper than 32 levels"),
        ("[nurse, pilot]", "[" * 5000, "", "nested deeper than 32 levels"),
        ("[nurse, pilot]", "{file: /dev/zero}", ":9: prompts.variables.occupation: ", "it is no regular file"),
        ("builtin:portraits", "~nouser/model", ":4: models[0].source: ", "there is no home folder ~nouser"),
        ("builtin:portraits", "/", ":4: models[0].source: ", "/ holds no model_index.json"),
        ("builtin:portraits", "/dev/zero", ":4: models[0].source: ", "/dev/zero is no file and no folder"),
        (
            "first look",
            "look\ndirection_seed: 2024-13-45",
            ":3: direction_seed: ",
            "'2024-13-45' cannot be read as timestamp",
        ),
        ("first look", "look\ndirection_seed: !!int x", ":3: direction_seed: ", "'x' cannot be read as int"),
        ("start: 3", f"start: {'1' * 5000}", ":20: seeds.start: ", "cannot be read as int"),
        ("start: 3", f"start: 0x{'f' * 5000}", ":20: seeds.start: ", "a number of more than 64 bits"),
        ("kind: open_clip", "kind: 'os:path'", ":19: classifiers[0].kind: ", "is no subclass of fairsweep.classifiers"),
        (
            "kind: open_clip",
            "kind: 'torch:nn'",
            ":19: classifiers[0].kind: ",
            "is no subclass of fairsweep.classifiers",
        ),
        (
            "method: none",
            "name: x\n    method: 'json:JSONDecoder'",
            ":17: guidance[0].method: ",
            "is no subclass of fairsweep.methods",
        ),
        (
            "count: 2",
            "count: 1000000000000",
            ":20: seeds: ",
            "(2 prompts x 1,000,000,000,000 seeds x 2 models x 3 guidance), more than 1,000,000: --most",
        ),
        ("[2, 4], attributes", "[2, 4], params: 3, attributes", ":17: guidance[1]: ", "give a mapping, not 3"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, old, new, place, words):
    path = tmp_path / "spec.yaml"
    assert old in PLAIN
    path.write_text(PLAIN.replace(old, new, 1))
    line = outcome(path)
    assert line.startswith(f"{path}{place}") and words in line, line


def test_what_a_sweep_plans_is_bounded_before_it_is_written_out(tmp_path):
    """50 values of 5 variables, and of 5 parameters: refused without holding them; the bound can be lifted."""
    path = tmp_path / "spec.yaml"
    letters, values = "abcde", list(range(50))
    data = yaml.safe_load(PLAIN)
    many = data | {
        "prompts": {"template": "".join(f"{{{x}}}" for x in letters), "variables": dict.fromkeys(letters, values)}
    }
    grid = data | {
        "guidance": [{"method": "fair"} | dict.fromkeys(("scale", "warmup_steps", "cooldown_steps"), values)]
    }
    tracemalloc.start()
    for sweep, words in (
        (many, "prompts: this plans 3,750,000,000 images (312,500,000 prompts x 2 seeds x 2 models x 3 guidance"),
        (grid, "guidance: the lists make 125,000 guidance, more than 10,000"),
    ):
        path.write_text(yaml.safe_dump(sweep))
        assert words in outcome(path)
    assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    tracemalloc.stop()
    path.write_text(PLAIN)
    with pytest.raises(SpecError, match=r"this plans 24 images .*, more than 23: --most-images lifts the bound"):
        load_spec(path, most_images=23)
    assert len(load_spec(path, most_images=24).seeds) == 2


def test_merged_keys_are_where_they_are_written_and_may_be_overwritten(tmp_path):
    path = tmp_path / "spec.yaml"
    merged = "  - &fast {name: one, source: builtin:portraits, steps: 2}\n  - {<<: *fast, name: two, steps: 3}"
    path.write_text(PLAIN.replace("  - {name: one, source: builtin:portraits, steps: [2, 4]}", merged))
    assert [(model.name, model.steps) for model in load_spec(path).models] == [("one", 2), ("two", 3)]
