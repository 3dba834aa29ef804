"""What must never be lost or shown twice: written again after a compaction, damaged anywhere, moved, oddly named."""

import errno
import os
import shutil

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsweep import cli
from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import connect, write_catalogue
from fairsweep.store import Store, disk
from fairsweep.store.compact import compact
from fairsweep.store.names import MANIFEST, digest
from fairsweep.store.schemas import FOLDERS
from fairsweep.store.verify import sift, verify
from support.checks import ask
from test_store import ids, image_row, label_row

LABELS = "select image_id, label, error from labels order by all"


def merge(store: Store) -> None:
    with store.lock():
        compact(store, lambda: None, grace=0)


def labels_folder(store: Store):
    return store.root / "labels" / "classifier=clip"


@pytest.fixture
def store(tmp_path) -> Store:
    """Return a store with six images' labels in one merged file, of 0 to 2 and of 3 to 5."""
    store = Store(tmp_path / "store")
    for first in (0, 3):
        store.write_labels("clip", [label_row(str(n)) for n in range(first, first + 3)])
    store.write_images([image_row(str(n)) for n in range(6)])
    merge(store)
    return store


def test_labels_that_failed_and_were_made_again_count(tmp_path):
    store = Store(tmp_path)
    store.write_labels("clip", [label_row("a"), label_row("b")])
    for _ in range(2):
        # The same rows fail twice, and each time all is merged.
        store.write_labels("clip", [label_row(name, "failed", error="unreadable") for name in ("c", "d")])
        merge(store)
    assert ask(tmp_path, LABELS)[2:] == [("c", "failed", "unreadable"), ("d", "failed", "unreadable")]
    store.write_labels("clip", [label_row("c"), label_row("d")])
    expected = [(name, "female", None) for name in "abcd"]
    assert ask(tmp_path, LABELS) == expected
    for _ in range(2):
        merge(store)
        assert ask(tmp_path, LABELS) == expected


@pytest.mark.parametrize("damage", ["footer", "page", "gone"])
def test_labels_of_a_damaged_merged_file_are_made_again(store, damage):
    (merged,) = labels_folder(store).glob("*.parquet")
    content = bytearray(merged.read_bytes())
    content[10:60] = bytes(50)
    if damage == "gone":
        merged.unlink()
    else:
        merged.write_bytes(content if damage == "page" else content[:-8])
    with store.lock():
        _, bad = verify(store)
    assert len(bad) == (damage != "gone")
    assert ask(store.root, LABELS) == []
    for first in (0, 3):
        store.write_labels("clip", [label_row(str(n)) for n in range(first, first + 3)])
    for _ in range(3):
        assert ask(store.root, LABELS) == [(str(n), "female", None) for n in range(6)]
        merge(store)


def imported(names: str, label: str) -> pa.Table:
    rows = [{"image_id": name, "attribute": "gender", "label": label} for name in names]
    return pa.Table.from_pylist(rows, FOLDERS["labels"])


def test_an_import_that_replaces_another_counts(tmp_path):
    store = Store(tmp_path)
    store.write_import("a", "imported", imported("123", "female"))
    store.write_import("b", "imported", imported("456", "female"))
    merge(store)
    store.write_import("a", "imported", imported("123", "male"))
    for _ in range(3):
        assert ask(tmp_path, LABELS) == [(n, "male" if n in "123" else "female", None) for n in "123456"]
        merge(store)
    # Another classifier's name in the second import: the first one's labels go.
    store.write_import("a", "other", imported("12", "male"))
    assert ask(tmp_path, "select image_id, classifier from labels order by all")[:2] == [("1", "other"), ("2", "other")]
    assert len(ask(tmp_path, LABELS)) == 5


def test_an_import_that_version_0_1_merged_is_replaced_too(tmp_path):
    store = Store(tmp_path)
    old = labels_folder(store)
    old.mkdir(parents=True)
    pq.write_table(imported("123", "female"), old / f"{digest(['a'])}.parquet")
    pq.write_table(imported("456", "female"), old / f"{digest(['b'])}.parquet")
    merge(store)
    store.write_import("a", "clip", imported("123", "male"))
    for _ in range(2):
        assert ask(tmp_path, LABELS) == [(n, "male" if n in "123" else "female", None) for n in "123456"]
        merge(store)


def test_rows_written_again_after_a_compaction_replace_the_older_ones(store):
    store.write_labels("clip", [label_row(str(n), "male") for n in range(3)])
    store.write_images([image_row(str(n), device="other") for n in range(6)])
    expected = [(str(n), "male" if n < 3 else "female", None) for n in range(6)]
    for _ in range(3):
        assert ask(store.root, LABELS) == expected
        assert ask(store.root, "select count(*), count(distinct image_id), min(device) from images") == [
            (6, 6, "other")
        ]
        merge(store)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"a": 1}'])
def test_a_damaged_manifest_costs_nothing(store, content):
    manifest = labels_folder(store) / MANIFEST
    before = ask(store.root, LABELS)
    manifest.write_bytes(content)
    assert ask(store.root, LABELS) == before
    store.write_labels("clip", [label_row("more")])
    merge(store)
    assert len(ask(store.root, LABELS)) == len(before) + 1
    assert len(list(labels_folder(store).glob("*.parquet"))) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]"])
def test_a_damaged_spec_is_as_none(tmp_path, content):
    store = Store(tmp_path)
    store.write_spec("audit", {"spec": {}})
    path = next(tmp_path.rglob("audit.json"))
    path.write_bytes(content)
    assert store.read_spec("audit") == {}
    store.write_classifier("clip", {"kind": "open_clip"})
    next(tmp_path.rglob("clip.json")).write_bytes(content)
    assert store.read_classifier("clip") is None


def test_what_is_foreign_is_left_out(store, caplog):
    before = ask(store.root, LABELS), ids(store)
    foreign = pa.table({"a": [1, 2]})
    places = ["plan", "images", "images/model=m", "images/model=m/guidance=none", "labels", "labels/classifier=clip"]
    for place in places:
        folder = store.root / place
        folder.mkdir(exist_ok=True)
        pq.write_table(foreign, folder / "foreign.parquet")
        os.mkfifo(folder / "pipe.parquet")
        (folder / "folder.parquet").mkdir()
    assert (ask(store.root, LABELS), ids(store)) == before
    assert ask(store.root, "select count(*) from plan") == [(0,)]
    assert "it is no file of plan, it has no column 'image_id'" in caplog.text
    with store.lock():
        sift(store)
        verify(store)
        compact(store, lambda: write_catalogue(store), grace=0)
    assert len(list(store.root.rglob("foreign.parquet"))) == len(places)
    assert (ask(store.root, LABELS), ids(store)) == before


def test_readers_change_nothing_and_no_right_is_no_damage(store, monkeypatch):
    listed = sorted(store.root.rglob("*"))
    (merged,) = labels_folder(store).glob("*.parquet")
    merged.write_bytes(merged.read_bytes()[:-9])
    assert ask(store.root, LABELS) == []
    assert sorted(store.root.rglob("*")) == listed
    # Root may read everything, so the kernel's refusal is put in its place.
    for number in (errno.EACCES, errno.EMFILE, errno.ESTALE):
        store.write("plan", f"new-{number}", [{"image_id": "x", "sweep": "s", "model": "m"}])
        with monkeypatch.context() as patch, pytest.raises(StoreError, match=f"cannot read .*: {os.strerror(number)}"):
            patch.setattr(disk, "open", lambda *_, number=number: _refuse(number), raising=False)
            connect(store)
        with store.lock(), monkeypatch.context() as patch, pytest.raises(StoreError):
            patch.setattr(disk, "open", lambda *_, number=number: _refuse(number), raising=False)
            verify(store)
    assert not list(store.root.rglob("*.damaged"))


def _refuse(number: int):
    raise OSError(number, os.strerror(number))


def test_a_page_that_is_damaged_is_one_line_and_verify_finds_it(store, capsys, caplog):
    (path,) = (store.root / "images").rglob("*.parquet")
    content = bytearray(path.read_bytes())
    content[4:200] = os.urandom(196)
    path.write_bytes(content)
    assert cli.run(["sql", "--store", str(store.root), "select image_id, image from pictures"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert cli.run(["verify", "--store", str(store.root)]) == 1
    # Told once: which file by a warning, how many by the command.
    assert capsys.readouterr().out.endswith(" files read, 1 damaged\n")
    [told] = caplog.messages
    assert told.startswith("set aside the damaged file ") and path.name in told
    assert cli.run(["sql", "--store", str(store.root), "select image_id, image from pictures"]) == 0
    assert cli.run(["verify", "--store", str(store.root)]) == 0
    assert ask(store.root, LABELS) != []


def test_the_lock_removes_only_what_writers_of_this_store_left(tmp_path):
    store = Store(tmp_path)
    store.write_images([image_row("a")])
    folder = next(tmp_path.glob("images/*/*"))
    mine = folder / ".0123-1-2.v2.parquet.host.12.tmp"
    others = [folder / ".other.tmp", tmp_path / ".x.parquet.host.1.tmp", tmp_path / "documents" / ".a.parquet.b.1.tmp"]
    for path in (mine, *others):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    with store.lock():
        pass
    assert not mine.exists()
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("name", ["what?", "a*b", "[ab]", "back\\slash", "50%41", "model=x/store", "it's", "#1"])
def test_any_path_can_hold_a_store(tmp_path, name):
    store = Store(tmp_path / name)
    store.write_images([image_row("a")])
    store.write_labels("clip", [label_row("a")])
    for other in ("aab", "a"):
        # What a pattern would find instead.
        Store(tmp_path / other).write_images([image_row("wrong")])
    with store.lock():
        compact(store, lambda: None, grace=0)
    query = "select image_id, model, setting, classifier from images join labels using (image_id)"
    assert ask(store.root, query) == [("a", "m", "none", "clip")]
    # DuckDB itself opens no database below a backslash.
    with duckdb.connect(shutil.copy(write_catalogue(store), tmp_path / "copy.duckdb"), read_only=True) as connection:
        assert connection.execute(query).fetchall() == [("a", "m", "none", "clip")]
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", "fairsweep.duckdb", "images", "labels"]


def test_a_moved_store_brings_its_catalogue(tmp_path):
    store = Store(tmp_path / "before")
    store.write_images([image_row("a")])
    write_catalogue(store)
    moved = Store(shutil.move(store.root, tmp_path / "after"))
    assert ids(moved) == ["a"]
    with duckdb.connect(str(moved.catalogue), read_only=True) as connection:
        assert connection.execute("select image_id from images").fetchall() == [("a",)]


def test_a_store_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StoreError, match=r"cannot write to .*file/store: Not a directory"),
        Store(tmp_path / "file/store").lock(),
    ):
        pass


def test_a_busy_store_is_refused_before_a_cluster_starts(tmp_path, tiny_data, write_spec, capsys):
    import ray

    store = Store(tmp_path / "store")
    with store.lock():
        assert cli.run(["run", str(write_spec(tiny_data)), "--store", str(store.root)]) == 2
    assert "another run is writing to" in capsys.readouterr().err
    assert not ray.is_initialized()
