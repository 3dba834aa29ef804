"""`fairsweep metrics`: a list of all, and a page of each that is true."""

import csv
import io
import shlex

import pytest

from fairsweep import cli
from fairsweep.measure.catalogue import describe
from fairsweep.measure.columns import COLUMNS
from fairsweep.measure.metrics import list_metrics
from support.synthetic import build

METRICS = list_metrics()
COLUMNS_OF = dict(zip(METRICS, describe(*(metric.name for metric in METRICS)), strict=True))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build(tmp_path_factory.mktemp("pages"), seeds=4)


def test_the_list_has_a_line_per_metric_in_a_pipe(capsys):
    assert cli.run(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(METRICS)]] == [metric.name for metric in METRICS]
    assert all(metric.meaning in line for metric, line in zip(METRICS, lines, strict=False))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_page_tells_the_columns_and_its_query_runs(metric, store, capsys, monkeypatch):
    monkeypatch.setenv("FAIRSWEEP_STORE", str(store.root))
    assert cli.run(["metrics", metric.name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == metric.meaning
    assert (f"read         {metric.reading}" in lines) == bool(metric.reading)
    first = lines.index("columns") + 1
    columns = [line.split()[0] for line in lines[first : lines.index("", first)]]
    assert columns == [name for name, _ in COLUMNS_OF[metric]]
    words = shlex.split(lines[-1])
    assert words[:2] == ["fairsweep", "sql"]
    assert cli.run([*words[1:], "--format", "csv"]) == 0
    header = next(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert len(header) >= 2


def test_a_name_that_is_near(capsys):
    assert cli.run(["metrics", "shar"]) == 2
    assert "did you mean 'share'?" in capsys.readouterr().err


def test_no_word_is_left_of_a_column_that_is_gone():
    there = {name for columns in COLUMNS_OF.values() for name, _ in columns}
    assert set(COLUMNS) <= there
