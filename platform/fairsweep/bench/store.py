"""Time a large store: what is there, what is missing, the summary; and many small files before they are merged."""

import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.bench import metrics
from fairsweep.bench.process import own
from fairsweep.measure.catalogue import connect
from fairsweep.measure.sql import literal
from fairsweep.measure.status import count, status
from fairsweep.plan.todo import Todo
from fairsweep.store import Store
from fairsweep.store.compact import compact
from fairsweep.store.names import images_folder, name_shard
from fairsweep.store.schemas import IMAGES

# Rows of a merged file of pictures of about 50 kB each, and of a file that one batch writes.
MERGED, BATCH = 5_000, 16


def run(images: int = 1_000_000, shards: int = 20_000) -> dict[str, float]:
    """Return seconds, seconds of CPUs and MiB of each question to a store of so many planned images.

    Some of them are not made yet; pictures are left out; labels are those of one classifier for four attributes. Each
    question is asked twice in a process of its own, and the second answer counts: status is that of an unchanged store,
    recount what it takes once something was written. `shards` small files of images are counted before and after they
    are merged.
    """
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        started = time.perf_counter()
        metrics.build(store, images * len(metrics.ATTRIBUTES))
        figures["image_files"] = _write_images(store)
        figures["build_seconds"] = time.perf_counter() - started
        for question in (_list, _status, _recount, _missing, _missing_labels, _summary):
            figures |= _asked(folder, question)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for number in range(shards):
            rows = [{"image_id": f"{number} {row}", "model": "m", "setting": "s"} for row in range(BATCH)]
            store.write_images(rows)
        figures |= _asked(folder, _count)
        started = time.perf_counter()
        with store.lock():
            compact(store, lambda: None, grace=0)
        figures["merge_seconds"] = time.perf_counter() - started
        figures |= {f"merged_{name}": value for name, value in _asked(folder, _count).items()}
    return figures


def _write_images(store: Store) -> int:
    """Write the rows of the plan's images as merged files hold them, but for some; return how many files that are."""
    sql, files = duckdb.connect(), 0
    (plan,) = store.readable("plan")
    cells = sql.execute("select distinct model, setting from read_parquet(?) order by all", [str(plan)]).fetchall()
    for model, setting in cells:
        query = f"""
            select image_id, prompt from read_parquet({literal(plan)})
            where model = {literal(model)} and setting = {literal(setting)} and seed % 100 <> 7"""
        for batch in sql.sql(query).to_arrow_reader(MERGED):
            held = {name: batch[name] for name in ("image_id", "prompt")}
            columns = [held.get(field.name, pa.nulls(len(batch), field.type)) for field in IMAGES]
            sink = pa.BufferOutputStream()
            pq.write_table(pa.Table.from_arrays(columns, schema=IMAGES), sink, compression="zstd")
            data = sink.getvalue().to_pybytes()
            name = name_shard([f"{model} {setting} {files}"], data, len(batch))
            store.place.put(f"{images_folder(model, setting)}/{name}", data)
            files += 1
    return files


def _asked(folder: str, question: Callable[[Store], object]) -> dict[str, float]:
    """Ask in a process of its own, so that its peak of memory is the question's."""
    name = question.__name__.strip("_")
    with get_context("spawn").Pool(1) as pool:
        seconds, work, mebibytes = pool.apply(_ask, (folder, question))
    return {f"{name}_seconds": seconds, f"{name}_cpu_seconds": work, f"{name}_mib": mebibytes}


def _ask(folder: str, question: Callable[[Store], object]) -> tuple[float, float, float]:
    seconds = work = 0.0
    for _ in range(2):
        started, before = time.perf_counter(), time.process_time()
        question(Store(folder))
        seconds, work = time.perf_counter() - started, time.process_time() - before
    return seconds, work, own("status", "VmHWM") / 1024


def _list(store: Store) -> None:
    store.files()


def _status(store: Store) -> None:
    status(store)


def _recount(store: Store) -> None:
    count(store.files(), {})


def _missing(store: Store) -> None:
    (plan,) = store.readable("plan")
    with Todo(store, plan) as todo:
        if not len(todo.missing()):
            raise AssertionError("some images were left out, and none is missing")


def _missing_labels(store: Store) -> None:
    (plan,) = store.readable("plan")
    with Todo(store, plan) as todo:
        if todo.count_missing_labels("bench", tuple(metrics.ATTRIBUTES)):
            raise AssertionError("all images that are there are labelled")


def _summary(store: Store) -> None:
    with connect(store) as connection:
        connection.sql("from summary").to_arrow_table()


def _count(store: Store) -> None:
    with connect(store) as connection:
        connection.execute("select count(*) from images").fetchall()
