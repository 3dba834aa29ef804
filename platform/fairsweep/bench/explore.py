"""Time the explorer's screens over a store of many labels: the first page, and each change of a control."""

import io
import re
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import requests
import uvicorn

from fairsweep.bench import metrics
from fairsweep.bench.process import own
from fairsweep.measure.sql import value
from fairsweep.pages import explore, explorer, serve
from fairsweep.store import Store

SHARD = 64
PORTRAITS = 256


def run(labels: int = 1_000_000, size: int = 24) -> dict[str, float]:
    """Return the seconds of a first page and of each change of a control, with the memory and the bytes read.

    labels: a fifth of them a second classifier's, which disagrees now and then. Two settings of one model have
    pictures: real portraits, PORTRAITS different ones. size: pairs of pictures on a page.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = build(Store(folder), labels)
        # A process of its own, so that its peak of memory is the explorer's.
        with get_context("spawn").Pool(1) as pool:
            return figures | pool.apply(_look, (folder, size))


def build(store: Store, labels: int) -> dict[str, float]:
    """Write the store; return how many labels, images, and pictures in how many files it has."""
    metrics.build(store, labels * 4 // 5)
    folder = Path(store.place.name("labels"), "classifier=second")
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    first = f"{store.place.name('labels')}/classifier=bench/*.parquet"
    connection.execute(
        f"""copy (
            select * replace (
                if(hash(image_id) % 10 = 0, 'female', label) as label, 0.5 + hash(image_id) % 5000 / 10000 as score
            ) from '{first}' where attribute = 'gender'
        ) to '{folder}/gender.parquet' (compression zstd)"""
    )
    cells = ("none", "fair-scale1")
    query = f"select image_id, model, setting, prompt from '{store.place.name('plan')}/bench.parquet'"
    query += " where model = 'model-0' and setting = ? order by prompt_name, seed"
    drawn = _portraits()
    count = files = 0
    for setting in cells:
        rows = connection.sql(query, params=[setting]).to_arrow_table().to_pylist()
        for start in range(0, len(rows), SHARD):
            shard = rows[start : start + SHARD]
            for place, row in enumerate(shard):
                row["image"] = {"bytes": drawn[(start + place) % PORTRAITS], "path": None}
            files += len(store.write_images(shard))
        count += len(rows)
    found = value(connection.execute(f"select count(*) from '{store.place.name('labels')}/*/*.parquet'"))
    return {"labels": found, "pictures": count, "picture_files": files}


def _portraits() -> list[bytes]:
    from PIL import Image

    from fairsweep.portraits.render import render
    from fairsweep.portraits.world import sample

    files = []
    for seed, person in enumerate(sample(PORTRAITS, 0)):
        file = io.BytesIO()
        Image.fromarray(render(person, seed)).save(file, "png")
        files.append(file.getvalue())
    return files


def _look(folder: str, size: int) -> dict[str, float]:
    """Use the explorer as a person does: look at shares, then at pictures, then change one control after the other."""
    clock = _Clock()
    browser = _Browser(explorer.app(folder))
    look = {"sweep": "bench", "model": "model-0", "attribute": "gender", "classifier": "bench", "size": size}
    figures = {"first_page_mib": _page(browser, "shares", look), "first_page_seconds": clock.lap()}
    _wall(browser, look)
    figures["first_pictures_seconds"] = clock.lap()
    read, shown = _wall(browser, look | {"page": 2})
    figures |= {"next_page_seconds": clock.lap(), "next_page_mib_read": read, "next_page_mib_shown": shown}
    for order in [*explore.ORDERS][1:]:
        read, shown = _wall(browser, look | {"order": order})
        name = order.replace(" ", "_")
        figures |= {f"{name}_seconds": clock.lap(), f"{name}_mib_read": read, f"{name}_mib_shown": shown}
    for name, chosen in {"prompt": "worker 7", "attribute": "age", "setting": "none"}.items():
        look[name] = chosen
        _page(browser, "shares", look)
        figures[f"{name}_on_shares_seconds"] = clock.lap()
        _wall(browser, look)
        figures[f"{name}_on_pictures_seconds"] = clock.lap()
    # Of this process alone: the kernel's ru_maxrss begins at what the process that started this one held.
    figures["peak_memory_mib"] = own("status", "VmHWM") / 1024
    return figures


class _Browser:
    """Ask a server of this process for pages."""

    def __init__(self, app: Any):
        port = serve.free_port(0)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
        Thread(target=server.run, daemon=True).start()
        while not server.started:
            time.sleep(0.01)
        self._session, self._address = requests.Session(), f"http://{serve.HOST}:{port}"

    def get(self, path: str, look: dict | None = None) -> bytes:
        """Return what an address answers."""
        answer = self._session.get(self._address + path, params=look)
        answer.raise_for_status()
        return answer.content


def _page(browser: _Browser, screen: str, look: dict) -> float:
    """Ask for a page; return its MiB."""
    return len(browser.get(f"/{screen}", look)) / 2**20


def _wall(browser: _Browser, look: dict) -> tuple[float, float]:
    """Ask for a wall with its pictures; return the MiB read for them, and their size in MiB."""
    before = own("io", "rchar")
    page = browser.get("/pictures", look)
    pictures = [browser.get(source) for source in re.findall(r'src="(/small/[^"]+)"', page.decode())]
    return (own("io", "rchar") - before) / 2**20, sum(map(len, [page, *pictures])) / 2**20


class _Clock:
    """Tell the seconds since it was last asked."""

    def __init__(self):
        self._since = time.perf_counter()

    def lap(self) -> float:
        since, self._since = self._since, time.perf_counter()
        return self._since - since
