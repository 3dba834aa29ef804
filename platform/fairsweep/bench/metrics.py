"""Time the metrics over a synthetic store of many labels: share, and the whole of summary with its bootstrap."""

import tempfile
import time
from pathlib import Path

import duckdb

from fairsweep.store import Store

PROMPTS, SETTINGS = 150, 4
SEEDS = 250
# One attribute per row: its groups, and the labels that the images draw from.
ATTRIBUTES = {
    "gender": (("female", "male"), ("female", "male", "male", "no_face")),
    "skin_tone": (("light", "medium", "dark"), ("light", "light", "medium", "dark")),
    "age": (("young", "old"), ("young", "old", "young", "unknown")),
    "glasses": (("with", "without"), ("with", "without")),
}


def run(labels: int = 10_000_000, threads: int = 2, repeats: int = 3) -> dict[str, float]:
    """Return labels, images, cells and the best seconds of `repeats` for share and summary on so many threads."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        build(store, labels)
        with store.connect() as connection:
            connection.execute(f"set threads = {threads}")
            figures = {
                "labels": connection.execute("select count(*) from labels").fetchone()[0],
                "images": connection.execute("select count(*) from plan").fetchone()[0],
            }
            figures["share_rows"], figures["share_seconds"] = _best(connection, "share", repeats)
            figures["summary_rows"], figures["summary_seconds"] = _best(connection, "summary", repeats)
    return figures


def build(store: Store, labels: int) -> None:
    """Write the plan, targets, settings and labels of one sweep with about so many labels; no images."""
    images = labels // len(ATTRIBUTES)
    models = max(1, round(images / (PROMPTS * SETTINGS * SEEDS)))
    connection = duckdb.connect()
    connection.execute(
        f"""create table plan as select
            md5(i::varchar) as image_id, 'bench' as sweep, 'model-' || i % {models} as model,
            if(i // {models} % {SETTINGS} = 0, 'none', 'fair-scale' || i // {models} % {SETTINGS}) as setting,
            if(i // {models} % {SETTINGS} = 0, 'none', 'fair') as method,
            'a photo of the face of a worker ' || i // {models * SETTINGS} % {PROMPTS} as prompt,
            'worker ' || i // {models * SETTINGS} % {PROMPTS} as prompt_name,
            map {{'occupation': 'worker'}} as variables, map([]::varchar[], []::varchar[]) as direction,
            i // {models * SETTINGS * PROMPTS} as seed, 'batch' as batch_key, 1e0 as scale
        from range({images}) as t(i)"""
    )
    for kind in ("plan", "labels/classifier=bench"):
        (Path(store.root) / kind).mkdir(parents=True, exist_ok=True)
    connection.execute(f"copy plan to '{store.root}/plan/bench.parquet' (compression zstd)")
    for attribute, (_, drawn) in ATTRIBUTES.items():
        connection.execute(
            f"""copy (
                select image_id, '{attribute}' as attribute,
                    {list(drawn)}[1 + (hash(image_id || '{attribute}') % {len(drawn)})::int]
                    as label, 0.9e0 as score, null::map(varchar, double) as scores, null::float[] as embedding,
                    0.01e0 as seconds, null::varchar as error
                from plan
            ) to '{store.root}/labels/classifier=bench/{attribute}.parquet' (compression zstd)"""
        )
    store.write(
        "targets",
        "bench",
        [
            {"sweep": "bench", "attribute": a, "group": g, "group_text": g, "target": 1 / len(groups), "position": p}
            for a, (groups, _) in ATTRIBUTES.items()
            for p, g in enumerate(groups)
        ],
    )
    rows = connection.execute("select distinct model, setting, method from plan").fetchall()
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
            for m, s, k in rows
        ],
    )


def _best(connection, view: str, repeats: int) -> tuple[int, float]:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        table = connection.sql(f"from {view}").to_arrow_table()
        seconds.append(time.perf_counter() - start)
    return table.num_rows, min(seconds)
