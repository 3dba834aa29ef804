"""Time the report of a sweep of many settings, without pictures."""

import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from fairsweep.bench import metrics
from fairsweep.bench.process import own
from fairsweep.pages import report
from fairsweep.store import Store


def run(settings: int = 200, prompts: int = 20, seeds: int = 64) -> dict[str, float]:
    """Return the seconds of a report on settings x prompts x seeds images of one model, its memory and its size."""
    with tempfile.TemporaryDirectory() as folder:
        images = settings * prompts * seeds
        metrics.build(Store(folder), images * len(metrics.ATTRIBUTES), prompts, settings, seeds)
        # A process of its own, so that its peak of memory is the report's.
        with get_context("spawn").Pool(1) as pool:
            return {"images": images, **pool.apply(_write, (folder,))}


def _write(folder: str) -> dict[str, float]:
    started, before = time.perf_counter(), time.process_time()
    path = report.write(Store(folder), path=Path(folder, "report.html"))
    seconds, work = time.perf_counter() - started, time.process_time() - before
    size, peak = path.stat().st_size / 2**20, own("status", "VmHWM") / 2**20
    return {"seconds": seconds, "cpu_seconds": work, "peak_gib": peak, "page_mib": size}
