"""Time the metrics over a synthetic store of many labels: share, the whole of summary, and every view by itself."""

import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import duckdb
import pyarrow as pa

from fairsweep.bench.process import own
from fairsweep.measure.catalogue import connect
from fairsweep.measure.metrics import list_metrics
from fairsweep.plan.plan import ROW_GROUP
from fairsweep.store import Store
from fairsweep.store.compact import compact
from fairsweep.store.schemas import LABELS, PLAN
from fairsweep.store.store import write_table

PROMPTS, SETTINGS, SEEDS = 150, 4, 256
# Numbers of an image's embedding; real ones have hundreds, and are gigabytes for millions of images.
EMBEDDING = 8
# Images per batch, and labels per shard before compaction.
BATCH, SHARD = 16, 100_000
# What guided images are steered to by turns.
STEERED = ["female", "male"]
# One attribute per row: its groups, and the labels that the images draw from.
ATTRIBUTES = {
    "gender": (("female", "male"), ("female", "male", "male", "no_face")),
    "skin_tone": (("light", "medium", "dark"), ("light", "light", "medium", "dark")),
    "age": (("young", "old"), ("young", "old", "young", "unknown")),
    "glasses": (("with", "without"), ("with", "without")),
}


def run(
    labels: int = 10_000_000, threads: int = 2, repeats: int = 3, views: Sequence[str] | None = None
) -> dict[str, float]:
    """Return labels, images, cells and the best seconds of `repeats` for share and summary on so many threads.

    views: those that are asked once more, each in a process of its own, with the peak of its memory in GiB; silent: all
    metrics and summary.
    """
    names = [metric.name for metric in list_metrics()] + ["summary"] if views is None else views
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        build(store, labels)
        with connect(store) as connection:
            connection.execute(f"set threads = {threads}")
            counted = "select (select count(*) from labels), (select count(*) from plan)"
            [(rows, images)] = connection.execute(counted).fetchall()
            figures = {"labels": rows, "images": images}
            figures["share_rows"], figures["share_seconds"] = _best(connection, "share", repeats)
            figures["summary_rows"], figures["summary_seconds"] = _best(connection, "summary", repeats)
        for name in names:
            with get_context("spawn").Pool(1) as pool:
                seconds, gibibytes = pool.apply(_ask, (folder, name, threads))
            figures |= {f"{name}_alone_seconds": seconds, f"{name}_alone_gib": gibibytes}
    return figures


def _ask(folder: str, view: str, threads: int) -> tuple[float, float]:
    with connect(Store(folder)) as connection:
        connection.execute(f"set threads = {threads}")
        _, seconds = _best(connection, view, 1)
    return seconds, own("status", "VmHWM") / 2**20


def build(store: Store, labels: int, prompts: int = PROMPTS, settings: int = SETTINGS, seeds: int = SEEDS) -> None:
    """Write the plan, targets, settings and labels of one sweep with about so many labels; no images.

    Rows lie as `fairsweep run` leaves them: the plan by model, block of seeds, prompt and setting; an image's labels
    together, in shards that compaction has merged. Every so many settings, prompts and seeds (whole batches) are of a
    model of their own.
    """
    images = labels // len(ATTRIBUTES)
    connection = duckdb.connect()
    connection.execute("create table numbers as select range as i from range(?)", [images])
    connection.execute(
        f"""create view plan as select
            md5(i::varchar) as image_id, 'bench' as sweep, 'model-' || i // {prompts * settings * seeds} as model,
            if(i // {BATCH} % {settings} = 0, 'none', 'fair-scale' || i // {BATCH} % {settings}) as setting,
            if(i // {BATCH} % {settings} = 0, 'none', 'fair') as method,
            'a photo of the face of a worker ' || i // {BATCH * settings} % {prompts} as prompt,
            'worker ' || i // {BATCH * settings} % {prompts} as prompt_name,
            map {{'occupation': 'worker'}} as variables,
            if(
                i // {BATCH} % {settings} = 0, map([]::varchar[], []::varchar[]), map {{'gender': {STEERED}[1 + i % 2]}}
            ) as direction,
            i // {BATCH * settings * prompts} % {seeds // BATCH} * {BATCH} + i % {BATCH} as seed,
            i // {BATCH} as batch, 1e0 as scale, null::map(varchar, double) as scales, false as pilot,
            null::varchar as source, null::varchar as source_name, null::map(varchar, varchar) as source_groups
        from numbers"""
    )
    plan = connection.sql("from plan").to_arrow_table().select(PLAN.names).cast(PLAN)
    store.write_plan("bench", (plan.slice(start, ROW_GROUP) for start in range(0, len(plan), ROW_GROUP)))
    drawn = [
        f"{list(drawn)}[1 + (hash(image_id || '{attribute}') % {len(drawn)})::int]"
        for attribute, (_, drawn) in ATTRIBUTES.items()
    ]
    embedding = ", ".join(f"(hash(image_id, {place}) / 2e0 ** 64)::float" for place in range(EMBEDDING))
    # Beside its labels each image has a score and an embedding, as classifiers that embed images write them.
    rows = connection.sql(
        f"""select image_id, unnest({[*ATTRIBUTES, "_image"]}) as attribute,
            unnest([{", ".join(drawn)}, null]) as label,
            if(attribute = '_image', 0.2e0 + 0.1e0 * (hash(image_id) / 2e0 ** 64), 0.9e0) as score,
            null::map(varchar, double) as scores,
            if(attribute = '_image', [{embedding}], null)::float[] as embedding, 0.01e0 as seconds,
            null::varchar as error
        from plan"""
    )
    for number, batch in enumerate(rows.to_arrow_reader(SHARD)):
        shard = Path(store.place.name("labels"), "classifier=bench", f"{number:06}.parquet")
        write_table(shard, pa.Table.from_batches([batch]).cast(LABELS))
    compact(store, lambda: None, grace=0)
    store.write(
        "targets",
        "bench",
        [
            {"sweep": "bench", "attribute": a, "group": g, "group_text": g, "target": 1 / len(groups), "position": p}
            for a, (groups, _) in ATTRIBUTES.items()
            for p, g in enumerate(groups)
        ],
    )
    cells = connection.execute("select distinct model, setting, method from plan").fetchall()
    store.write(
        "settings",
        "bench",
        [
            {
                "sweep": "bench",
                "model": m,
                "setting": s,
                "method": k,
                "attributes": ["gender"],
                "params": "{}",
                "baseline": k == "none",
            }
            for m, s, k in cells
        ],
    )


def _best(connection, view: str, repeats: int) -> tuple[int, float]:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        table = connection.sql(f"from {view}").to_arrow_table()
        seconds.append(time.perf_counter() - start)
    return table.num_rows, min(seconds)
