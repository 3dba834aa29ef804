"""README and docs are true: their commands exist, their specs load, their Python and SQL run, the tree is there."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from fairsweep import cli
from fairsweep.cli import build
from fairsweep.measure.catalogue import connect
from fairsweep.spec import load_spec
from fairsweep.store import Store
from support import synthetic, tiny

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shell_lines(text: str = README) -> list[str]:
    return [line for block in blocks("sh", text) for line in block.splitlines() if line.strip()]


def test_every_fairsweep_command_and_option_exists():
    root = typer.main.get_command(build())
    lines = [shlex.split(line, comments=True) for text in (README, *DOCS.values()) for line in shell_lines(text)]
    calls = [words[1:] for words in lines if words[:1] == ["fairsweep"]]
    assert len(calls) >= 12
    for words in calls:
        command = root
        while words and not words[0].startswith("-") and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert command is not root or words == ["--help"], words
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, words


def test_every_ray_command_and_option_exists():
    from ray.scripts.scripts import cli

    calls = [shlex.split(line, comments=True)[1:] for line in shell_lines() if line.startswith("ray ")]
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


def test_inline_commands_exist():
    commands = typer.main.get_command(build()).commands
    named = re.findall(r"`fairsweep ([a-z]+)", README)
    assert named
    assert set(named) <= set(commands)


def test_every_command_has_a_help_text():
    root = typer.main.get_command(build())
    for command in root.commands.values():
        for leaf in getattr(command, "commands", {command.name: command}).values():
            assert (leaf.help or "").strip(), leaf.name


def test_make_targets_and_files_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z]+)", "\n".join(shell_lines()), re.MULTILINE):
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
    (text,) = blocks("yaml")
    path = tmp_path / "my-audit.yaml"
    path.write_text(text, encoding="utf-8")
    spec = load_spec(path)
    assert len(spec.guidance) == 3
    assert yaml.safe_load(text)["name"] == spec.name


def test_the_python_runs():
    code = "\n".join(blocks("python"))
    names = {"pipeline": tiny.build_sd()}
    names["pipeline"].set_progress_bar_config(disable=True)
    exec(code.replace(").images", ", num_inference_steps=2, height=32, width=32).images"), names)
    assert len(names["images"]) == 2


def test_the_suites_page_extends_a_suite(tmp_path):
    (text,) = blocks("yaml", DOCS["suites.md"])
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    assert len(load_spec(path).prompts.expand()) == 153


QUERIES = [q for text in (README, DOCS["suites.md"]) for block in blocks("sql", text) for q in block.split(";")]


@pytest.mark.parametrize("query", [query for query in QUERIES if query.strip()])
def test_the_sql_runs(query, tmp_path):
    store = Store(tmp_path)
    labels = [{"seed": seed, "gender": ("female", "male")[seed % 2]} for seed in range(4)]
    synthetic.write_plan(store, labels)
    synthetic.write_labels(store, labels)
    with connect(store) as connection:
        assert connection.sql(query).columns


def test_the_imports_page_imports_its_files(tmp_path, monkeypatch):
    page = DOCS["imports.md"]
    files = re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", page, re.DOTALL)
    assert len(files) == 4
    monkeypatch.chdir(tmp_path)
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    calls = [shlex.split(line)[1:] for line in shell_lines(page)]
    assert len(calls) == 3
    for call in calls:
        assert cli.run(call) == 0, call
    with connect(Store(tmp_path / "store")) as connection:
        counts = connection.execute("select sweep, sum(n), sum(missing) from distributions group by all order by all")
        assert counts.fetchall() == [("labels", 6, 2), ("published", 198, 2)]
        assert connection.execute("select count(*) from reference_shares where reference = 'labour'").fetchone() == (4,)
