"""The walls between the rooms of the package: who may import whom."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import fairsweep
from conftest import LONGEST

PACKAGE = Path(fairsweep.__file__).parent
FLAT = 12
# Room or module -> what it must not import, at the top of a file or inside a function.
WALLS = {
    "store": {"fairsweep.measure", "fairsweep.engine", "torch", "duckdb"},
    "spec": {"torch"},
    "plan": {"torch", "fairsweep.pipelines", "fairsweep.families"},
    "methods": {"torch", "fairsweep.pipelines", "fairsweep.families"},
    "measure": {"torch"},
    "engine": {"fairsweep.portraits"},
}
# Top to bottom; a room imports only from rooms below its own line. cli is the door, and stands above all.
LAYERS = (
    "cli",
    "commands",
    "bench",
    "audits",
    "engine",
    "imports terminal",
    "plan",
    "spec",
    "pipelines methods tracking",
    "guidance classifiers pages",
    "families measure portraits",
    "sources",
    "builtin store",
    "attributes hub mistakes registry textfile",
    "errors leaving memory shipped",
)
# Package -> the only rooms that import it.
OWNERS = {"mlflow": {"tracking"}, "obstore": {"store"}, "ray": {"engine"}}


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def by_room() -> dict[str, set[str]]:
    rooms: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        rooms.setdefault(room(path), set()).update(imports(path))
    return rooms


def test_no_room_imports_one_that_imports_it():
    rooms = by_room()
    graph = {
        name: {parts[1] for parts in (module.split(".") for module in modules) if parts[0] == "fairsweep" and parts[1:]}
        & rooms.keys() - {name}
        for name, modules in rooms.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(rooms)


def test_a_room_imports_only_from_below():
    rooms = by_room()
    heights = {name: -line for line, names in enumerate(LAYERS) for name in names.split()}
    assert rooms.keys() - {"__init__"} - heights.keys() == set(), "a room without a layer"
    upward = {
        f"{name} imports {other}"
        for name, modules in rooms.items()
        for other in {module.split(".")[1] for module in modules if module.startswith("fairsweep.")} & heights.keys()
        if other != name and heights[other] >= heights[name]
    }
    assert not upward


def test_walls():
    rooms = by_room()
    for name, banned in WALLS.items():
        broken = {module for module in rooms[name] for wall in banned if f"{module}.".startswith(f"{wall}.")}
        assert not broken, f"{name} imports {broken}"
    for package, owners in OWNERS.items():
        users = {name for name, modules in rooms.items() if any(f"{m}.".startswith(f"{package}.") for m in modules)}
        assert users == owners, package


def test_the_longest_files_of_tests_are_there():
    assert not {f"test_{name}.py" for name in LONGEST} - {path.name for path in Path(__file__).parent.glob("*.py")}


def test_classifiers_load_no_pipelines():
    """Whatever they import, wherever: diffusers costs each process that only labels three seconds."""
    waiting, seen = set(PACKAGE.glob("classifiers/*.py")), set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        names = imports(path)
        assert "diffusers" not in {name.partition(".")[0] for name in names}, path
        files = {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in names}
        waiting |= {file for file in files if file.is_file()} - seen
    assert PACKAGE / "portraits" / "reader.py" in seen


def test_each_concept_has_a_room():
    assert len(list(PACKAGE.glob("*.py"))) <= FLAT


def test_paths_of_a_store_are_spelt_in_its_own_room_alone():
    outside = [path for path in PACKAGE.rglob("*.py") if room(path) != "store"]
    spelt = [path.name for path in outside if re.search(r"\.root\b(\s*/|}/)", path.read_text(encoding="utf-8"))]
    assert not spelt
