"""README and docs are true: their commands exist, their specs load, their Python and SQL run, the tree is there.

That every command line runs is shown by test_docs_commands.py.
"""

import re
import shlex

import pytest
import typer
import yaml

from fairsweep.cli import build
from fairsweep.measure.catalogue import connect
from fairsweep.spec import load_spec
from fairsweep.store import Store
from support import synthetic, tiny
from support.docs import PAGES, ROOT, blocks, commands

README = PAGES["README.md"]


def test_every_fairsweep_command_and_option_exists():
    """Those of the blocks, and those that stand in a sentence: `fairsweep plan SPEC`."""
    root = typer.main.get_command(build())
    lines = [line for page in PAGES for line in commands(page)]
    lines += [line for text in PAGES.values() for line in re.findall(r"`(fairsweep [^`]+)`", text)]
    calls = [words[1:] for words in map(shlex.split, lines) if words[0] == "fairsweep"]
    assert len(calls) >= 100
    for words in calls:
        command = root
        while words and not words[0].startswith("-") and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert command is not root or words == ["--help"], words
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, words


def test_every_ray_command_and_option_exists():
    from ray.scripts.scripts import cli

    calls = [shlex.split(line)[1:] for line in commands("README.md") if line.startswith("ray ")]
    calls += [call.split() for call in re.findall(r"`ray ([a-z -]+)`", README)]
    assert len(calls) >= 5
    for words in calls:
        command = cli
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert command is not cli, words
        assert {word for word in words if word.startswith("-")} <= known, words


def test_the_demo_draws_as_many_portraits_as_it_says():
    (said,) = re.findall(r"The demo draws ([\d,]+) portraits", README)
    spec = load_spec(ROOT / "jobs" / "demo.yaml")
    images = len(spec.models) * len(spec.prompts.expand()) * len(spec.guidance) * len(spec.seeds)
    assert images == int(said.replace(",", ""))


def test_every_command_has_a_help_text():
    root = typer.main.get_command(build())
    for command in root.commands.values():
        for leaf in getattr(command, "commands", {command.name: command}).values():
            assert (leaf.help or "").strip(), leaf.name


def test_make_targets_and_files_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z]+)", "\n".join(commands("README.md")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"(?:jobs/[a-z]+\.(?:yaml|py)|ray_cluster\.yaml|dashboards/[a-z.]+)", README):
        assert (ROOT / path).is_file(), path
    for path in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_the_tree_is_what_is_there():
    """Every name in the tree exists, and every module of the package stands in it."""
    tree = README[README.index("    platform/fairsweep/") : README.index("    tests/")]
    package = ROOT / "platform" / "fairsweep"
    listed = set()
    for line in tree.splitlines():
        folder = package if line.startswith("      ") else ROOT
        for name in re.findall(r"[\w*/]+(?:\.py|/)(?=\W|$)", line.replace("metrics/*.sql", "")):
            found = set(folder.glob(name.rstrip("/"))) or set(ROOT.glob(name.rstrip("/")))
            assert found, name
            listed |= found
    modules = {path for path in package.iterdir() if not path.name.startswith("__") and path.name != "py.typed"}
    assert modules - listed == set()


def test_the_spec_loads(tmp_path):
    (text,) = blocks("README.md", "yaml")
    path = tmp_path / "my-audit.yaml"
    path.write_text(text, encoding="utf-8")
    spec = load_spec(path)
    assert len(spec.guidance) == 3
    assert yaml.safe_load(text)["name"] == spec.name


def test_the_python_runs():
    code = "\n".join(blocks("README.md", "python"))
    names = {"pipeline": tiny.build_sd()}
    names["pipeline"].set_progress_bar_config(disable=True)
    exec(code.replace(").images", ", num_inference_steps=2, height=32, width=32).images"), names)
    assert len(names["images"]) == 2


def test_the_suites_page_extends_a_suite(tmp_path):
    (text,) = blocks("docs/suites.md", "yaml")
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    assert len(load_spec(path).prompts.expand()) == 153


QUERIES = [q for page in ("README.md", "docs/suites.md") for block in blocks(page, "sql") for q in block.split(";")]


@pytest.mark.parametrize("query", [query for query in QUERIES if query.strip()])
def test_the_sql_runs(query, tmp_path):
    store = Store(tmp_path)
    labels = [{"seed": seed, "gender": ("female", "male")[seed % 2]} for seed in range(4)]
    synthetic.write_plan(store, labels)
    synthetic.write_labels(store, labels)
    with connect(store) as connection:
        assert connection.sql(query).columns
