import io
import logging

import duckdb
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import connect, write_catalogue
from fairsweep.store import Store
from fairsweep.store.pictures import as_png
from fairsweep.store.sweeps import newest_first
from fairsweep.store.verify import sift


def image_row(image_id: str, **more) -> dict:
    png = as_png(Image.new("RGB", (8, 8), "red"))
    return {"image_id": image_id, "model": "m", "setting": "none", "image": {"bytes": png, "path": None}, **more}


def label_row(image_id: str, label: str = "female", **more) -> dict:
    return {"image_id": image_id, "attribute": "gender", "label": label, "score": 0.9, "scores": {label: 0.9}, **more}


def ids(store: Store, view: str = "images", where: str = "true") -> list[str]:
    with connect(store) as connection:
        return [
            row[0] for row in connection.execute(f"select image_id from {view} where {where} order by 1").fetchall()
        ]


def test_the_views_are_there_with_their_types_before_any_file(tmp_path):
    with connect(Store(tmp_path)) as connection:
        for view in ("plan", "images", "pictures", "labels", "features", "targets", "settings", "reference_shares"):
            assert connection.execute(f"select count(*) from {view}").fetchall() == [(0,)]
        empty = {view: connection.sql(f"describe {view}").fetchall() for view in ("images", "labels", "pictures")}
    store = Store(tmp_path)
    store.write_images([image_row("a")])
    store.write_labels("clip", [label_row("a")])
    with connect(store) as connection:
        for view, described in empty.items():
            assert connection.sql(f"describe {view}").fetchall() == described


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match=r"there is no store at .*nowhere: run a sweep first"):
        connect(Store(tmp_path / "nowhere"))


def test_a_shard_written_again_replaces_itself(tmp_path):
    store = Store(tmp_path)
    first = store.write_images([image_row("a"), image_row("b")])
    again = store.write_images([image_row("b"), image_row("a")])
    assert first == again
    assert ids(store) == ["a", "b"]
    assert [path.name for path in tmp_path.rglob("*") if path.name.endswith(".tmp")] == []


def test_names_are_data_in_file_names_and_in_sql(tmp_path):
    store = Store(tmp_path / "it's a store")
    store.write_images([image_row("a") | {"model": "1.5", "setting": "a'b/c=d e"}])
    with connect(store) as connection:
        assert connection.execute("select model, setting from images").fetchall() == [("1.5", "a'b/c=d e")]


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_file_is_left_out_by_readers_and_set_aside_by_writers(tmp_path, caplog, damage):
    store = Store(tmp_path)
    [key] = store.write_images([image_row("a")])
    broken = tmp_path / key
    store.write_images([image_row("b")])
    content = {"truncated": broken.read_bytes()[:-20], "empty": b"", "text": b"not parquet at all"}[damage]
    broken.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert ids(store) == ["b"]
    assert "left out the damaged file" in caplog.text
    assert broken.exists()
    with store.lock():
        sift(store)
    assert "set aside the damaged file" in caplog.text
    assert ids(store) == ["b"]
    assert broken.with_name(broken.name + ".damaged").exists()
    assert not broken.exists()


def test_a_failure_counts_until_the_same_thing_succeeds(tmp_path):
    store = Store(tmp_path)
    store.write_images([image_row("a", error="no memory") | {"image": None}, image_row("b")])
    store.write_labels("clip", [label_row("b", "failed", error="unreadable")])
    assert ids(store, where="error is not null") == ["a"]
    assert ids(store, "pictures") == ["b"]
    store.write_images([image_row("a")])
    store.write_labels("clip", [label_row("b"), label_row("a")])
    assert ids(store) == ["a", "b"]
    assert ids(store, where="error is not null") == []
    assert ids(store, "labels") == ["a", "b"]


def test_whole_image_rows_are_features_and_no_labels(tmp_path):
    store = Store(tmp_path)
    whole = {"image_id": "a", "attribute": "_image", "label": "", "score": 0.3, "embedding": [0.6, 0.8]}
    store.write_labels("clip", [label_row("a"), whole])
    assert ids(store, "labels") == ["a"]
    with connect(store) as connection:
        assert connection.execute("select score, len(embedding) from features").fetchall() == [(0.3, 2)]


def test_the_catalogue_holds_the_views_for_any_client_anywhere(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write_images([image_row("a")])
    path = write_catalogue(store)
    monkeypatch.chdir("/")
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("select image_id from images").fetchall() == [("a",)]
        # Every column can be read, whatever else is installed.
        assert len(connection.execute("select * from images").fetchall()) == 1
        assert connection.execute("select count(*) from summary").fetchall() == [(0,)]


def test_one_writing_run_at_a_time(tmp_path):
    with (
        Store(tmp_path).lock(),
        pytest.raises(StoreError, match=r"another run is writing to .* \(process \d+ on "),
        Store(tmp_path).lock(),
    ):
        pass
    with Store(tmp_path).lock():
        pass


def test_images_open_as_pictures_everywhere(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    [key] = store.write_images([image_row("a"), image_row("b")])
    path = store.root / key
    encoded = pq.read_table(path, partitioning=None).column("image").to_pylist()[0]["bytes"]
    assert Image.open(io.BytesIO(encoded)).size == (8, 8)
    png = duckdb.sql(f"select image.bytes from '{path}' limit 1").fetchall()[0][0]
    assert Image.open(io.BytesIO(png)).getpixel((0, 0)) == (255, 0, 0)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    loaded = datasets.load_dataset(
        "parquet", data_files=str(store.root / "images/**/*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded[0]["image"].size == (8, 8)


def test_one_large_picture_is_read_without_its_neighbours(tmp_path):
    store = Store(tmp_path)
    large = {"bytes": bytes(600_000), "path": None}
    (path,) = store.write_images([image_row(str(number), image=large) for number in range(8)])
    (small,) = store.write_images([image_row(f"small {number}") for number in range(8)])
    assert pq.ParquetFile(tmp_path / path).num_row_groups == 8
    assert pq.ParquetFile(tmp_path / small).num_row_groups == 1


def test_words_have_dictionaries_and_embeddings_none(tmp_path):
    """Which nothing in them repeats: they would make a file half as large again."""
    store = Store(tmp_path)
    rows = [label_row(f"{number:03}", embedding=[number + place / 64 for place in range(64)]) for number in range(50)]
    group = pq.ParquetFile(tmp_path / store.write_labels("clip", rows)).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    has = {column.path_in_schema: "RLE_DICTIONARY" in column.encodings for column in columns}
    assert has["label"] and has["scores.key_value.key"]
    assert [path for path in has if not has[path]] == ["embedding.list.element"]


def test_a_sweep_and_a_classifier_of_one_name_do_not_meet(tmp_path):
    store = Store(tmp_path)
    store.write_classifier("portraits", {"kind": "portraits"})
    store.write_spec("classifier-portraits", {"spec": {}, "fingerprint": "abc"})
    assert store.read_classifier("portraits") == {"kind": "portraits"}
    # Where version 0.1 kept the record of a classifier, a sweep's spec is none.
    store.write_spec("classifier-clip", {"spec": {}, "fingerprint": "abc"})
    assert store.read_classifier("clip") is None


@pytest.mark.parametrize("name", ["plain", "a name with spaces", "Mädchen/Junge", ".", "..", "x.parquet", "50%"])
def test_any_name_is_one_file_and_comes_back(tmp_path, name):
    store = Store(tmp_path / "store")
    assert not store.has_sweep(name)
    row = {"image_id": "a", "sweep": name, "model": "m", "setting": "none"}
    path = store.write("plan", name, [row])
    assert path.parent == (store.root / "plan")
    assert store.has_sweep(name)
    assert newest_first(store) == [name]
    store.write_spec(name, {"spec": {"name": name}})
    assert store.read_spec(name) == {"spec": {"name": name}}


def test_a_name_that_no_file_system_takes_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"the name 'aaa.*' is too long for a file's name: choose a shorter one"):
        Store(tmp_path).write("plan", "a" * 300, [])
