"""Every command line of README and docs/ runs as written, in a fresh folder, with an installed wheel."""

import shutil
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from fairsweep.builtin import BUILTIN
from fairsweep.store import Store
from support.checks import ask
from support.docs import NOT_HERE, PAGES, ROOT, blocks, commands, files
from support.installed import Installed
from support.synthetic import build, write_labels, write_plan

# Of so few images each actor would spend its time on its start.
ONE_ACTOR = {"run": {"batch_size": 32, "actors": 1, "cpus_per_actor": 1}}
# In the place of a model and a classifier of the Hub, and of their many steps.
SMALL = ONE_ACTOR | {
    "models": [{"source": "builtin:portraits", "steps": 20, "guidance_scale": 3, "width": 64, "height": 64}],
    "classifiers": [{"kind": "portraits"}],
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def cluster(installed):
    """Return the address of one cluster for all pages but README, whose demo starts its own."""
    with installed.cluster() as address:
        yield address


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return an empty folder, with room for another machine beside it."""
    place = tmp_path / "here"
    place.mkdir()
    return place


def write(folder: Path, page: str) -> None:
    """Write the files that a page shows."""
    for name, text in files(page).items():
        (folder / name).write_text(text)


def write_spec(file: Path, data: dict) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(data, sort_keys=False))


def two_machines(here: Path, there: Path) -> None:
    """Write a store of a sweep on each of two machines."""
    for root, name in ((here, "here"), (there, "there")):
        labels = [{"model": name, "seed": seed, "gender": ("female", "male")[seed % 2]} for seed in range(4)]
        write_plan(Store(root), labels, sweep=name)
        write_labels(Store(root), labels, sweep=name)


def pictures(store: Path) -> list[tuple]:
    return ask(store, "select sweep, count(*) from plan semi join pictures using (image_id) group by all order by all")


def test_every_page_has_its_test_here_and_what_cannot_run_stands_on_one():
    pages = {page for page in PAGES if commands(page)}
    assert len(pages) >= 9
    assert {f"test_{Path(page).stem.lower().replace('-', '_')}" for page in pages} <= globals().keys()
    assert NOT_HERE.keys() <= {line for page in pages for line in commands(page)}


@pytest.mark.slow
def test_readme(installed, folder):
    """`make demo` of few seeds, the results of which are looked at; then the page's spec, with a model that ships."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(installed.home)
    (folder / ".venv" / ".installed").touch()
    demo = yaml.safe_load((ROOT / "jobs" / "demo.yaml").read_text())
    write_spec(folder / "jobs" / "demo.yaml", demo | ONE_ACTOR | {"seeds": 2})
    (spec,) = map(yaml.safe_load, blocks("README.md", "yaml"))
    write_spec(folder / "my-audit.yaml", spec | SMALL | {"seeds": 2})
    printed = installed.run_page("README.md", folder)
    assert "total_variation" in printed and (folder / "firefighter.png").stat().st_size > 10_000
    assert pictures(folder / "fairsweep-store") == [("demo", 8 * 2 * 2), ("my-audit", 3 * 3 * 2)]


@pytest.mark.slow
def test_getting_started(installed, folder, cluster):
    (folder / ".venv").symlink_to(installed.home)
    spec = yaml.safe_load(files("docs/getting-started.md")["my-audit.yaml"])
    write_spec(folder / "my-audit.yaml", spec | SMALL | {"seeds": 4})
    installed.run_page("docs/getting-started.md", folder, RAY_ADDRESS=cluster)
    assert pictures(folder / "fairsweep-store") == [("my-audit", 3 * 2 * 4)]
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_tutorials(installed, folder, cluster):
    page = "docs/tutorials.md"
    write(folder, page)
    two_machines(folder / "fairsweep-store", folder.parent / "other-machine" / "fairsweep-store")
    languages = yaml.safe_load(files(page)["languages.yaml"])
    write_spec(folder / "languages.yaml", languages | ONE_ACTOR | {"classifiers": SMALL["classifiers"], "seeds": 1})
    # A folder is a model as one of the Hub is.
    model = folder / "stable-diffusion-v1-5" / "stable-diffusion-v1-5"
    model.parent.mkdir()
    model.symlink_to(BUILTIN["builtin:portraits"])
    printed = installed.run_page(page, folder, RAY_ADDRESS=cluster)
    assert "amplified" in printed and "closed.html" in printed
    assert "0.87" in printed, "the reference's own share"
    assert pictures(folder / "fairsweep-store") == [("languages", 4)]
    for query in (query for block in blocks(page, "sql") for query in block.split(";") if query.strip()):
        ask(folder / "fairsweep-store", query)


@pytest.mark.slow
def test_suites(installed, folder, cluster):
    installed.run_page("docs/suites.md", folder, RAY_ADDRESS=cluster)
    assert pictures(folder / "fairsweep-store") == [("portraits", 16)]


@pytest.mark.slow
def test_rounds(installed, folder, cluster):
    write(folder, "docs/rounds.md")
    printed = installed.run_page("docs/rounds.md", folder, RAY_ADDRESS=cluster)
    assert "at most 192 images to make" in printed
    (table,) = blocks("docs/rounds.md", "text")
    assert table.strip() in "\n".join(line.rstrip() for line in printed.splitlines())


@pytest.mark.slow
def test_audits(installed, folder, cluster):
    """On fewer portraits, prompts and seeds, and with the page's own spec of the data."""
    demo = yaml.safe_load((ROOT / "jobs" / "demo.yaml").read_text())
    demo["prompts"]["variables"]["occupation"] = ["nurse", "pilot"]
    write_spec(folder / "jobs" / "demo.yaml", demo | ONE_ACTOR | {"seeds": 32})
    audit = yaml.safe_load((ROOT / "jobs" / "audit.yaml").read_text())
    audit["data"][0]["nearest"] = [10]
    write_spec(folder / "jobs" / "audit.yaml", audit)
    render = "fairsweep portraits render -o portraits-data -n "
    installed.run_page("docs/audits.md", folder, instead={f"{render}20000": f"{render}300"}, RAY_ADDRESS=cluster)
    store = folder / "fairsweep-store"
    # Two prompts, two attributes of two and three groups. So few portraits are too few for most thresholds.
    ((matched,),) = ask(store, "select count(*) from data_match where n > 0")
    assert matched >= 6
    assert ask(store, "select component, count(*) from components where sweep = 'audit' group by all order by all") == [
        ("data", matched * 5),
        ("encoder", 2 * 2 * 5),
        ("guided", 2 * 5),
        ("pictures", matched * 5),
    ]
    # Guidance brings both to the target.
    guided = "select distinct prompt_name, verdict from components where component = 'guided' and attribute = 'gender'"
    assert ask(store, f"{guided} order by all") == [("nurse", "mitigated"), ("pilot", "mitigated")]
    # The matchings of the data are runs of their own in MLflow, with the numbers of the summary.
    runs = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    cells = runs.search_runs(
        [each.experiment_id for each in runs.search_experiments()], "tags.`fairsweep.kind` = 'cell'"
    )
    logged = {
        (run.data.tags["fairsweep.sweep"], run.data.tags["fairsweep.setting"]): run.data.metrics[
            "gender/portraits/total_variation"
        ]
        for run in cells
        if "gender/portraits/total_variation" in run.data.metrics
    }
    summary = "select sweep, setting, total_variation from summary where attribute = 'gender' and total_variation > -1"
    assert logged == pytest.approx({row[:2]: row[2] for row in ask(store, summary)})
    assert ("audit-data", "captions") in logged and ("audit", "none") in logged


def test_imports(installed, folder):
    write(folder, "docs/imports.md")
    two_machines(folder / "store", folder.parent / "other-machine" / "fairsweep-store")
    installed.run_page("docs/imports.md", folder)
    counts = "select sweep, sum(n), sum(missing) from distributions where sweep in ('labels', 'published')"
    assert ask(folder / "store", f"{counts} group by all order by all") == [("labels", 6, 2), ("published", 198, 2)]
    assert ask(folder / "store", "select count(*) from reference_shares where reference = 'labour'") == [(4,)]


def test_requirements(installed, folder):
    """Of a sweep without guidance's help, which fails and says so by its exit code."""
    gender = {"gender": ("female", "male")}
    labels = [
        {"setting": setting, "seed": seed, "gender": "male"} for setting in ("none", "fair") for seed in range(16)
    ]
    write_plan(Store(folder / "fairsweep-store"), labels, gender, sweep="sweep")
    write_labels(Store(folder / "fairsweep-store"), labels, gender, sweep="sweep")
    (require,) = map(yaml.safe_load, blocks("docs/requirements.md", "yaml"))
    spec = {
        "name": "sweep",
        "prompts": ["a photo of the face of a doctor"],
        "attributes": {"gender": {"groups": list(gender["gender"])}},
        "guidance": [{"method": "none"}, {"method": "fair"}],
        "seeds": 16,
    }
    write_spec(folder / "sweep.yaml", SMALL | spec | require)
    printed = installed.run_page("docs/requirements.md", folder, codes={"fairsweep check sweep.yaml": 1})
    assert "fail" in printed and "undecided" in printed


@pytest.mark.slow
def test_metrics(installed, folder):
    """One in ten, which are all of one form; test_metric_pages.py runs every one, in this process."""
    lines = commands("docs/metrics.md")
    assert all(line.startswith("fairsweep sql '") and line.endswith(" limit 8'") for line in lines)
    build(folder / "fairsweep-store", prompts=("doctor", "nurse"), seeds=2)
    for line in lines[::10]:
        installed.run(line, folder)
