"""A store in a bucket, on a real server: what is written is read, by one writer at a time."""

import json
import pickle
import random
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from fairsweep import cli
from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import connect
from fairsweep.pages import explore, pictures
from fairsweep.store import Store, cache, lease
from fairsweep.store import objects as requests
from fairsweep.store.compact import compact
from fairsweep.store.names import MANIFEST
from fairsweep.store.objects import Objects
from fairsweep.store.places import bucket_address
from fairsweep.store.sweeps import newest_first
from fairsweep.store.verify import verify
from support.buckets import SECRET
from support.checks import ask


def image_rows(*ids: str, **more) -> list[dict]:
    return [{"image_id": i, "model": "a model?", "setting": "none", "image": png(i), **more} for i in ids]


def png(image_id: str) -> dict:
    # What no compression makes smaller, as a picture.
    return {"bytes": random.Random(image_id).randbytes(300_000), "path": None}


def write(store: Store) -> None:
    store.write_images(image_rows("a", "b"))
    store.write_images(image_rows("c", error="no memory"))
    for image_id in "ab":
        store.write_labels("clip", [{"image_id": image_id, "attribute": "gender", "label": "female"}])
    store.write("plan", "tiny", [{"image_id": i, "sweep": "tiny", "model": "a model?"} for i in "abc"])
    store.write_spec("tiny", {"spec": {"notes": "x"}})


def test_what_is_written_is_read(bucket):
    store = Store(bucket)
    with pytest.raises(StoreError, match=f"there is no store at {bucket}"):
        connect(store)
    with store.lock():
        write(store)
    reader = pickle.loads(pickle.dumps(Store(bucket)))
    assert ask(bucket, "select image_id, model, error from images order by all") == [
        ("a", "a model?", None),
        ("b", "a model?", None),
        ("c", "a model?", "no memory"),
    ]
    assert ask(bucket, "select image_id, classifier, label from labels order by all") == [
        ("a", "clip", "female"),
        ("b", "clip", "female"),
    ]
    assert reader.read_spec("tiny") == {"spec": {"notes": "x"}}
    assert newest_first(reader) == ["tiny"] and reader.has_sweep("tiny") and not reader.has_sweep("other")
    assert pictures.read(reader, connect(reader), ["b", "c", "nobody"]) == {"b": png("b")["bytes"]}


def test_a_picture_costs_its_row_group_and_no_more(bucket, monkeypatch):
    store = Store(bucket)
    with store.lock():
        store.write_images(image_rows(*"abcdefgh"))
    read = 0
    ranges = Objects.ranges

    def counted(*args):
        nonlocal read
        parts = ranges(*args)
        read += sum(map(len, parts))
        return parts

    monkeypatch.setattr(Objects, "ranges", counted)
    sql = connect(store)
    assert sql.execute("select count(*) from images").fetchall() == [(8,)]
    (entry,) = store.place.entries("images", 2)
    assert read < entry.size / 4, "the rows without their pictures"
    assert list(pictures.read(store, sql, ["c"])) == ["c"]
    assert read < entry.size


def test_small_files_are_merged_and_removed_after_their_time(bucket):
    store = Store(bucket)
    with store.lock():
        write(store)
        assert compact(store, lambda: None) == {"labels/classifier=clip": 2}
    names = [entry.name for entry in store.place.entries("labels", 1) if entry.name.endswith(".parquet")]
    assert len(names) == 3, "readers that have listed the shards may still open them"
    assert ask(bucket, "select count(*), count(distinct image_id) from labels") == [(2, 2)]
    with store.lock():
        compact(store, lambda: None, grace=0)
    assert len([entry for entry in store.place.entries("labels", 1) if entry.name.endswith(".parquet")]) == 1
    assert ask(bucket, "select count(*), count(distinct image_id) from labels") == [(2, 2)]


def test_a_second_writer_is_told_who_writes_and_until_when(bucket, capsys):
    store = Store(bucket)
    with store.lock():
        line = r"another run is writing to s3://\S+ \(process \d+ on \S+, until \d\d:\d\d:\d\d UTC unless it goes on\)"
        with pytest.raises(StoreError, match=line), Store(bucket).lock():
            pass
        assert cli.run(["compact", "--store", bucket]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    with Store(bucket).lock():
        pass


def test_who_was_away_too_long_is_taken_over_and_changes_nothing_more(bucket, monkeypatch):
    old, new, objects = Store(bucket), Store(bucket), Objects(bucket)
    manifest = f"labels/classifier=clip/{MANIFEST}"
    with monkeypatch.context() as patch, old.lock():
        write(old)
        old.place.change(manifest, lambda _: b'{"first": []}')
        content, version = objects.get(lease.KEY)
        objects.put_if(lease.KEY, json.dumps(json.loads(content) | {"seconds": -1.0}).encode(), version)
        with new.lock():
            # As if it had been stopped between its look at the clock and its write.
            patch.setattr(old.place._lease, "check", lambda: None)
            with pytest.raises(StoreError, match="another run took over"):
                old.place.change(manifest, lambda _: b"{}")
            assert new.place.read_shared(manifest) == b'{"first": []}'
            patch.undo()
            patch.setattr(old.place._lease, "_good_until", 0)
            with pytest.raises(StoreError, match="no longer the writer of s3://"):
                old.write("plan", "tiny", [])


@pytest.fixture
def taken_over(bucket, monkeypatch):
    """Return a function that lets another writer take over from the one that holds the lease, and returns its store."""
    with ExitStack() as stack:

        def take() -> Store:
            objects = Objects(bucket)
            content, version = objects.get(lease.KEY)
            objects.put_if(lease.KEY, json.dumps(json.loads(content) | {"seconds": -1.0}).encode(), version)
            store = Store(bucket)
            stack.enter_context(store.lock())
            return store

        yield take


@pytest.mark.parametrize("kind", ["plan", "specs"])
def test_a_plan_on_its_way_when_another_took_over_does_not_replace_what_that_one_wrote(
    bucket, taken_over, monkeypatch, kind
):
    def write(store: Store, sweep: str) -> None:
        if kind == "plan":
            store.write("plan", "tiny", [{"image_id": sweep, "sweep": sweep}])
        else:
            store.write_spec("tiny", {"spec": {"notes": sweep}})

    old, put_if = Store(bucket), Objects.put_if
    with old.lock():
        write(old, "first")
        taken: list[Store] = []

        def late(objects, key, data, version):
            # The request leaves now, and is long on its way.
            if key.startswith(kind) and not taken:
                taken.append(taken_over())
                write(taken[0], "new")
            return put_if(objects, key, data, version)

        monkeypatch.setattr(Objects, "put_if", late)
        with pytest.raises(StoreError, match=r"no longer the writer of s3://\S+: it was taken over by process"):
            write(old, "old")
        assert len(taken) == 1
        if kind == "plan":
            assert ask(bucket, "select sweep from plan") == [("new",)]
        else:
            assert old.read_spec("tiny") == {"spec": {"notes": "new"}}
        write(taken[0], "newer")


def test_a_plan_that_is_larger_than_parts_is_replaced_on_condition_all_the_same(bucket, monkeypatch):
    monkeypatch.setattr(requests, "_PART", 100)
    modes, put = [], requests.obstore.put

    def noted(client, key, data, **options):
        modes.append((key, len(data), options["mode"]))
        return put(client, key, data, **options)

    store = Store(bucket)
    with store.lock():
        monkeypatch.setattr(requests.obstore, "put", noted)
        for sweep in ("first", "second"):
            store.write("plan", "tiny", [{"image_id": f"{sweep} {n}", "sweep": sweep} for n in range(100)])
        monkeypatch.setattr(requests.obstore, "put", put)
        assert all(key == "plan/tiny.parquet" and size > 400 and mode != "overwrite" for key, size, mode in modes)
        assert [mode if isinstance(mode, str) else list(mode) for *_, mode in modes] == ["create", ["e_tag"]]
        assert ask(bucket, "select distinct sweep from plan") == [("second",)]


def test_an_actor_of_a_run_that_was_taken_over_stores_nothing_more(bucket, taken_over):
    old = Store(bucket)
    with old.lock():
        actor = pickle.loads(pickle.dumps(old))
        actor.write_images(image_rows("a"))
        scratch = pickle.loads(pickle.dumps(actor.scratch("calibration", "what")))
        scratch.write_images(image_rows("x"))
        new = taken_over()
        for store in (actor, scratch):
            with pytest.raises(StoreError, match="no longer for the writer of s3://"):
                store.write_images(image_rows("b"))
        pickle.loads(pickle.dumps(new)).write_images(image_rows("b"))
        assert ask(bucket, "select image_id from images order by all") == [("a",), ("b",)]


@pytest.mark.parametrize("merged", [False, True])
def test_a_batch_on_its_way_when_another_took_over_counts_once(bucket, taken_over, merged):
    """What the old run's actor had sent arrives after the new run has made the same batch: its name says whose rows."""
    old, small = Store(bucket), {"bytes": b"png", "path": None}
    with old.lock():
        actor = pickle.loads(pickle.dumps(old))
        new = taken_over()
        for batch in range(16):
            new.write_images(image_rows(f"{batch} a", f"{batch} b", device="new", image=small))
            new.write_labels("clip", [{"image_id": f"{batch} a", "attribute": "gender", "label": "female"}])
        if merged:
            assert len(compact(new, lambda: None, grace=0)) == 2
        actor.place._grant = None
        actor.write_images(image_rows("3 a", "3 b", device="old", image=small))
        actor.write_labels("clip", [{"image_id": "3 a", "attribute": "gender", "label": "male"}])
        for _ in range(2):
            assert ask(bucket, "select count(*), count(distinct image_id) from images") == [(32, 32)]
            assert ask(bucket, "select count(*), count(distinct image_id) from labels") == [(16, 16)]
            compact(new, lambda: None, grace=0)


def test_a_lease_is_renewed_while_its_holder_lives(bucket, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS", 4.0)
    store = Store(bucket)
    with store.lock():
        before = Objects(bucket).get(lease.KEY)
        while Objects(bucket).get(lease.KEY) == before:
            threading.Event().wait(0.1)
        with pytest.raises(StoreError, match="another run is writing"), Store(bucket).lock():
            pass
        store.place.check_held()


def test_a_holder_of_this_machine_whose_process_ended_is_none(bucket):
    store = Store(bucket)
    with store.lock():
        objects = Objects(bucket)
        content, version = objects.get(lease.KEY)
        term = json.loads(content)
        held = objects.put_if(lease.KEY, json.dumps(term | {"machine": "another one"}).encode(), version)
        with pytest.raises(StoreError, match="another run is writing"), Store(bucket).lock():
            pass
        objects.put_if(lease.KEY, json.dumps(term | {"began": "long ago"}).encode(), held)
        with Store(bucket).lock():
            pass


def test_work_that_is_half_done_has_a_place_of_its_own(bucket):
    store = Store(bucket)
    with store.lock():
        write(store)
        scratch = store.scratch("calibration", "what")
        write(scratch)
        compact(scratch, lambda: None, grace=0)
        assert ask(scratch.root, "select count(*) from labels") == [(2,)]
        scratch.discard()
        assert not scratch.place.exists()
    assert ask(bucket, "select count(*) from labels") == [(2,)]


def test_the_explorer_reads_the_copies_and_nothing_else(bucket, tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n")
    store = Store(bucket)
    with store.lock():
        write(store)
    sql = explore.connect(bucket)
    assert explore.sweeps(sql, bucket) == ["tiny"]
    assert explore.query(sql, "select label from labels").num_rows == 2
    with pytest.raises(explore.SqlError):
        explore.query(sql, f"from '{tmp_path}/mine.csv'")


def test_an_index_stands_for_the_listing_while_nobody_writes(bucket, monkeypatch, caplog):
    store = Store(bucket)
    with store.lock():
        write(store)
    listings = []
    entries = Objects.entries
    monkeypatch.setattr(Objects, "entries", lambda self, folder: listings.append(folder) or entries(self, folder))
    assert ask(bucket, "select count(*) from labels") == [(2,)] and listings == []
    with store.lock():
        store.write_labels("clip", [{"image_id": "c", "attribute": "gender", "label": "male"}])
        assert ask(bucket, "select count(*) from labels") == [(3,)] and listings != []
    listings.clear()
    assert ask(bucket, "select count(*) from labels") == [(3,)] and listings == []
    # What another program removes is found by who looks.
    [gone, *_] = [entry.key for entry in store.place.entries("labels", 1)]
    Objects(bucket).delete([gone])
    with store.lock():
        verify(store)
    assert gone in caplog.text and "the index and a listing differ" in caplog.text
    assert ask(bucket, "select count(*) from labels") == [(2,)]


def test_a_damaged_file_is_set_aside_by_verify(bucket, capsys, caplog):
    store = Store(bucket)
    with store.lock():
        write(store)
    key = store.place.entries("images", 2)[0].key
    data = bytearray(store.place.read(key))
    data[1000:1100] = bytes(100)
    Objects(bucket).put(key, bytes(data))
    assert cli.run(["verify", "--store", bucket]) == 1
    assert capsys.readouterr().out.endswith(" files read, 1 damaged\n") and key in caplog.text
    assert cli.run(["verify", "--store", bucket]) == 0


def test_copies_are_bounded(bucket, tmp_path, monkeypatch):
    store = Store(bucket)
    with store.lock():
        write(store)
    ask(bucket, "select count(*) from labels")
    copies = list((tmp_path / "cache").rglob("*.parquet"))
    assert copies
    cache.trim(most=0)
    assert all(path.exists() for path in copies), "a query may still read them"
    monkeypatch.setattr(cache, "_IN_USE_SECONDS", -1)
    cache.trim(most=0)
    assert not any(path.exists() for path in copies)
    assert ask(bucket, "select count(*) from labels") == [(2,)]


class Obliging(BaseHTTPRequestHandler):
    """A server that takes every write, whatever its condition."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_) -> None:
        pass


def test_a_server_that_ignores_conditions_is_refused_in_one_line(s3, monkeypatch, capsys):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Obliging)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with (
            pytest.raises(StoreError, match="takes conditional writes and ignores the condition"),
            Store("s3://bucket/obliging").lock(),
        ):
            pass
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("root", "why"),
    [
        ("ftp://host/x", "there are s3://, gs:// and abfs://"),
        ("s3://key:secret@bucket/x", "rights come from the environment"),
        ("s3://bucket/x?versionId=1", "give a bucket and a prefix"),
        ("s3://", "it names no bucket"),
    ],
)
def test_addresses_that_are_no_store(root, why, capsys):
    assert cli.run(["status", "--store", root]) == 2
    error = capsys.readouterr().err
    assert why in error and "secret" not in error and len(error.splitlines()) == 1


def test_addresses_of_buckets_and_folders():
    assert bucket_address("abfss://container@account.dfs.core.windows.net/x/") == (
        "abfss://container@account.dfs.core.windows.net/x"
    )
    assert bucket_address("gs://bucket") == "gs://bucket"
    assert bucket_address("/tmp/s3:") is None and bucket_address("file:///tmp/x") is None
    assert str(Store("file:///tmp/x").root) == "/tmp/x"


def test_a_bucket_that_is_not_there_is_one_line(s3, capsys):
    assert cli.run(["status", "--store", "s3://nobody-has-this/x"]) == 2
    assert cli.run(["compact", "--store", "s3://nobody-has-this/x"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("there is no such bucket" in line for line in lines)
    assert SECRET not in str(lines)


def test_without_a_key_it_is_said_where_rights_come_from(monkeypatch, capsys):
    """Where no key is in the environment, a machine's role is asked for, which this one does not have."""

    class Refusal(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.send_error(403)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert cli.run(["status", "--store", "s3://nobodys/sweep"]) == 2
        server.shutdown()
    assert capsys.readouterr().err.startswith("error: no right to use s3://nobodys/sweep: rights come from the env")


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_holder_whose_clock_is_wrong_is_not_taken_over(bucket, monkeypatch, hours):
    """Nor does it keep others out for longer than it holds: its time is told by the bucket's clock."""
    monkeypatch.setattr(lease, "SECONDS", 2.0)
    with monkeypatch.context() as patch:
        wrong = SimpleNamespace(time=lambda: time.time() + 3600 * hours, monotonic=time.monotonic)
        patch.setattr(lease, "time", wrong)
        # The holder renews it no more.
        lease.Lease(Objects(bucket), lease.SECONDS)._ended.set()
    with pytest.raises(StoreError, match="another run is writing"), Store(bucket).lock():
        pass
    if hours > 0:
        time.sleep(2 * lease.SECONDS)
        with Store(bucket).lock():
            pass


def test_what_somebody_removed_is_left_out_and_said(bucket, caplog):
    store = Store(bucket)
    with store.lock():
        for number in range(2):
            store.write_labels("clip", [{"image_id": f"{number}", "attribute": "age", "label": "old"}])
    gone, _ = store.place.entries("labels", 1)
    Objects(bucket).delete([gone.key])
    assert ask(bucket, "select count(*) from labels") == [(1,)]
    assert "names files that are not there" in caplog.text
    with Store(bucket).lock():
        pass
    caplog.clear()
    assert ask(bucket, "select count(*) from labels") == [(1,)] and not caplog.text
