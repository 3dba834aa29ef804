"""A store that version 0.1 made (two models, three prompts, three settings, eight seeds; an import; a calibration)."""

import shutil
import tarfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep import cli
from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import connect, write_catalogue
from fairsweep.measure.metrics import list_metrics
from fairsweep.plan.declared import check_classifiers, wanted_attributes
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo
from fairsweep.spec import load_spec
from fairsweep.store import Store
from fairsweep.store.compact import compact
from fairsweep.store.names import FORMAT
from fairsweep.store.schemas import FOLDERS, VERSION_KEY
from fairsweep.store.sweeps import newest_first
from support.checks import ask


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(Path(__file__).parent / "data" / "store-0.1.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(unpacked, tmp_path) -> Path:
    return shutil.copytree(unpacked, tmp_path / "old")


def test_the_same_spec_finds_everything_there(old):
    spec, store = load_spec(old / "sweep.yaml"), Store(old / "store-0.1")
    ids = "select image_id from plan where sweep = 'before' order by all"
    before = ask(store.root, ids)
    check_classifiers(spec, store)
    path = write_plan(spec, store)
    assert ask(store.root, ids) == before
    with Todo(store, path) as todo:
        assert (todo.planned, len(todo.missing())) == (144, 0)
        for classifier in spec.classifiers:
            assert todo.count_missing_labels(classifier.name, wanted_attributes(spec, classifier)) == 0


def test_every_view_answers(old):
    store = Store(old / "store-0.1")
    assert sorted(newest_first(store)) == ["before", "survey"]
    with connect(store) as connection:
        for name in ("summary", "images", "pictures", "features", *(metric.name for metric in list_metrics())):
            connection.execute(f'from "{name}"').fetchall()
        assert connection.execute("select count(*) from labels").fetchall() == [(144 * 3 + 86,)]
        assert connection.execute("select count(*) from summary").fetchall() > [(0,)]
        # A column that version 0.1 did not have.
        assert connection.execute("select distinct batch from plan").fetchall() == [(None,)]


def test_it_can_be_compacted_and_written_to(old):
    store = Store(old / "store-0.1")
    store.write_labels("portraits", [{"image_id": "new", "attribute": "gender", "label": "female"}])
    before = ask(store.root, "from labels order by all")
    with store.lock():
        assert compact(store, lambda: write_catalogue(store), grace=0) == {"labels/classifier=portraits": 2}
    assert ask(store.root, "from labels order by all") == before
    with duckdb.connect(str(store.catalogue), read_only=True) as connection:
        assert connection.execute("select count(*) from images").fetchall() == [(144,)]


def test_a_store_of_a_newer_version_is_refused_in_one_line(old, capsys):
    store = Store(old / "store-0.1")
    schema = FOLDERS["plan"].with_metadata({VERSION_KEY: str(FORMAT + 1)})
    pq.write_table(pa.Table.from_pylist([], schema), (store.root / "plan") / "tomorrow.parquet")
    with pytest.raises(StoreError, match=f"was written by a newer fairsweep .store version {FORMAT + 1}; .*: update"):
        connect(store)
    assert cli.run(["status", "--store", str(store.root)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
