"""Metrics as files: their listing, their views, their columns of the summary, and the commands that print them."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from fairsweep.cli import run
from fairsweep.errors import FairsweepError
from fairsweep.measure.catalogue import connect, write_catalogue
from fairsweep.measure.materialise import materialise
from fairsweep.measure.metrics import list_metrics
from fairsweep.measure.sql import rows
from fairsweep.measure.summary import tables
from fairsweep.store import Store
from support.docs import blocks
from support.synthetic import build, write_labels, write_plan

LATE = """-- The smallest share of any group.
-- good: high
-- reads: share
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: none
-- summary mean: smallest_share
-- summary: min(smallest_share) as least_share
select sweep, model, setting, prompt, attribute, classifier, min(share) as smallest_share
from share
group by all
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build(tmp_path_factory.mktemp("store"))


@pytest.fixture
def own(store):
    """Return the folder of the store's own metrics, gone with the test."""
    folder = store.root / "metrics"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_a_file_in_the_store_is_a_view_a_listing_and_summary_columns(tmp_path, monkeypatch, store, own, capsys):
    (own / "smallest_share.sql").write_text(LATE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    connection = connect(store)
    assert connection.execute("select count(*) from smallest_share").fetchone()[0] == 18
    row = connection.execute(
        """select smallest_share, smallest_share_low, smallest_share_high, least_share from summary
        where setting = 'none' and attribute = 'gender'"""
    ).fetchone()
    assert row[1] <= row[0] <= row[2] and row[3] == 0.125
    where = ["--store", str(store.root), "--format", "csv"]
    assert run(["metrics", *where]) == 0
    assert "smallest_share,The smallest share of any group.,high" in capsys.readouterr().out


def test_the_metric_that_the_page_shows_is_one(store, own, capsys):
    (text,) = blocks("docs/metrics.md", "sql")
    (own / "largest.sql").write_text(text)
    assert connect(store).execute(
        """select largest = (select max(largest) from largest where setting = 'none' and attribute = 'gender')
        from summary where setting = 'none' and attribute = 'gender'"""
    ).fetchall() == [(True,)]
    assert run(["metrics", "largest", "--store", str(store.root)]) == 0
    page = capsys.readouterr().out
    assert "The share of a prompt's images that show the group" in page and str(own / "largest.sql") in page
    assert "one row per  sweep, model, setting, prompt, attribute, classifier" in page


def test_every_shipped_metric_says_what_it_is_and_runs(store):
    connection = connect(store)
    for metric in list_metrics():
        assert all([metric.meaning, metric.direction, metric.reads, metric.grain, metric.source]), metric.name
        connection.execute(f'from "{metric.name}"').fetchall()


@pytest.fixture(scope="module")
def old_store(tmp_path_factory):
    """Return a store that version 0.1 made: models, settings, an import and a calibration of the real thing."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(Path(__file__).parent / "data" / "store-0.1.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return Store(folder / "store-0.1")


@pytest.fixture(scope="module")
def materialised(store, old_store):
    """Return a connection per sweep of both stores, on which the sweep's metrics are tables."""
    connections = {}
    for each in (store, old_store):
        for (sweep,) in connect(each).execute("select distinct sweep from plan order by all").fetchall():
            connections[each, sweep] = connect(each)
            assert len(materialise(connections[each, sweep], [sweep], first=3)) > 40
    return connections


def test_every_header_names_what_makes_a_row_one(materialised):
    assert len(materialised) == 3
    for connection in materialised.values():
        for metric in list_metrics():
            keys = ", ".join(f'"{key}"' for key in metric.grain.split(", "))
            count, distinct = connection.execute(
                f'select (select count(*) from "{metric.name}"), '
                f'(select count(*) from (select distinct {keys} from "{metric.name}"))'
            ).fetchone()
            assert count == distinct, metric.name


def test_every_header_names_the_views_that_are_read(store):
    connection = connect(store)
    views = {row[0] for row in connection.execute("select view_name from duckdb_views() where not internal").fetchall()}
    for metric in list_metrics():
        own = set(re.findall(r"(\w+) as (?:(?:not )?materialized )?\(", metric.sql))
        assert set(metric.reads.split(", ")) == set(tables(connection, metric.sql)) & views - own, metric.name


def test_a_broken_metric_is_named(tmp_path, monkeypatch, store, own):
    (own / "broken.sql").write_text("select nothing_of_the_kind from share")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(FairsweepError, match=r"metric broken, .*broken.sql: .*nothing_of_the_kind.* bindings: "):
        connect(store)
    (own / "broken.sql").write_text("selct 1")
    with pytest.raises(FairsweepError, match=r'metric broken, .*broken.sql: .*at or near "selct"$'):
        connect(store)


def test_the_summary_has_one_row_per_cell_with_bounds(store):
    rows = connect(store).execute("select setting, attribute, total_variation from summary").fetchall()
    assert len(rows) == 6 and len({row[:2] for row in rows}) == 6
    row = (
        connect(store)
        .execute(
            """select total_variation_low <= total_variation, total_variation <= total_variation_high, shares['female']
        from summary where setting = 'fair-scale4' and attribute = 'gender'"""
        )
        .fetchone()
    )
    assert row[:2] == (True, True) and 0.4 < row[2] < 0.6


def test_measure_prints_what_sql_prints(store, capsys):
    assert run(["measure", "--store", str(store.root), "--metric", "share", "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert run(["sql", "--store", str(store.root), "from share order by all", "--format", "json"]) == 0
    assert printed == json.loads(capsys.readouterr().out)


def test_measure_names_what_it_does_not_know(store, capsys):
    assert run(["measure", "--store", str(store.root), "--metric", "shares"]) == 2
    assert "did you mean 'share'?" in capsys.readouterr().err
    assert run(["measure", "--store", str(store.root), "--sweep", "nope"]) == 2
    assert "there is no sweep 'nope'" in capsys.readouterr().err


def test_the_catalogue_works_in_any_client_and_folder(store, tmp_path):
    """A client that knows nothing of fairsweep, in a folder of its own, queries every metric of the file."""
    code = """import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    connection.execute('set enable_progress_bar = false')
    for name in sys.argv[2:]:
        connection.execute(f'from "{name}"').fetchall()
    print(connection.execute("select count(*) from summary").fetchone()[0], "fairsweep" in sys.modules)"""
    names = [metric.name for metric in list_metrics()]
    told = [sys.executable, "-I", "-c", code, str(write_catalogue(store)), *names]
    done = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["6", "False"]


def test_a_damaged_cache_folder_only_costs_time(store, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert connect(store).execute("select count(*) from summary").fetchone() == (6,)


def test_two_stores_of_one_process(tmp_path, store):
    Store(tmp_path).root.mkdir(exist_ok=True)
    assert connect(Store(tmp_path)).execute("select count(*) from summary").fetchone() == (0,)
    assert connect(store).execute("select count(*) from summary").fetchone() == (6,)


@pytest.mark.slow
def test_duckdb_1_5_answers_from_the_catalogue(store, tmp_path):
    """The client that most people have reads every view, and the same numbers."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        str(tmp_path / "old"),
        "duckdb==1.5.*",
    ]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        pytest.skip("DuckDB 1.5 cannot be installed here")
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import duckdb
connection = duckdb.connect(sys.argv[2], read_only=True)
views = [name for name, in connection.execute("select view_name from duckdb_views() where not internal").fetchall()]
counts = {name: len(connection.execute(f'select * from "{name}"').fetchall()) for name in sorted(views)}
values = connection.execute("select total_variation, total_variation_low from summary order by all").fetchall()
print(json.dumps([duckdb.__version__, counts, values]))
"""
    command = [sys.executable, "-I", "-c", code, str(tmp_path / "old"), str(write_catalogue(store))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version, counts, values = json.loads(done.stdout.splitlines()[-1])
    assert version.startswith("1.5")
    with connect(store) as connection:
        expected = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in counts}
        rows = connection.execute("select total_variation, total_variation_low from summary order by all").fetchall()
    assert counts == expected
    assert values == [pytest.approx(row) for row in rows]


def test_what_is_materialised_are_the_sweeps_rows_of_every_view(materialised, old_store):
    def rounded(records):
        return sorted(
            str({key: f"{cell:.9g}" if isinstance(cell, float) else cell for key, cell in row.items()})
            for row in records
        )

    views = connect(old_store)
    sweeps = [sweep for store, sweep in materialised if store is old_store]
    assert len(sweeps) == 2
    for name in ["summary", *(metric.name for metric in list_metrics())]:
        by_sweep: dict[str, list[dict]] = {}
        for row in rows(views.execute(f'from "{name}"')):
            by_sweep.setdefault(row.get("sweep", ""), []).append(row)
        for sweep in sweeps:
            tables = rows(materialised[old_store, sweep].execute(f'from "{name}"'))
            if (tables and "sweep" in tables[0]) or sweep in by_sweep:
                assert rounded(tables) == rounded(by_sweep[sweep]), name


@pytest.mark.parametrize(
    ("name", "sql", "reason"),
    [
        ("share", "select 1 as a", "needs a name of its own"),
        ("plan", "select 1 as a", "already exists"),
        ('x"y', "select 1 as a", "needs a name of its own"),
        ("two", "select 1 as a; copy (select 1) to 'written.csv'", "is one SELECT"),
        ("macro", "create macro f(x) as x", "is one SELECT"),
        ("not_text", "select '\xff' as a".encode("latin-1"), "it is not UTF-8 text"),
    ],
)
def test_a_metric_of_a_store_does_nothing_but_answer(name, sql, reason, store, own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (own / f"{name}.sql").write_bytes(sql if isinstance(sql, bytes) else sql.encode())
    assert run(["sql", "select 1 as one", "--store", str(store.root)]) == 2
    line = capsys.readouterr().err
    assert reason in line and line.count("\n") == 1
    assert not (tmp_path / "written.csv").exists()


def test_shares_by_a_variable_are_means_over_the_prompts_of_each_level(tmp_path):
    """Two languages, two occupations each, shares of the first group 1/4 and 3/4, and 1/2 and 1/2."""
    counts = {("nurse", "English"): 1, ("pilot", "English"): 3, ("nurse", "French"): 2, ("pilot", "French"): 2}
    labels = [
        {"prompt": f"{job} {language}", "seed": seed, "gender": ("female", "male")[seed >= count]}
        | {"variables": {"language": language, "occupation": job, "text": f"{job} {language}"}}
        for (job, language), count in counts.items()
        for seed in range(4)
    ]
    labels += [{"prompt": "nurse French", "seed": 4, "gender": "no_face", "variables": labels[8]["variables"]}]
    store = Store(tmp_path)
    write_plan(store, labels, {"gender": ("female", "male")})
    write_labels(store, labels, {"gender": ("female", "male")})
    found = rows(connect(store).execute("""from share_by_variable where "group" = 'female' order by variable, level"""))
    values = {(row["variable"], row["level"]): row["share"] for row in found}
    expected = {("language", "English"): 0.5, ("language", "French"): 0.5}
    assert values == expected | {("occupation", "nurse"): 0.375, ("occupation", "pilot"): 0.625}
    assert all(row["low"] < row["share"] < row["high"] and row["prompts"] == 2 for row in found)
    assert {row["n"] for row in found} == {8} and {row["population_low"] for row in found} == {None}
