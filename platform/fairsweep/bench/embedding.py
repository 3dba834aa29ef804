"""Time how an audit of training data embeds pictures: from Parquet into the index, beside the model alone."""

import io
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image
from rich.console import Console

from fairsweep.audits.actor import reports
from fairsweep.audits.data.index import IndexTask, open_data
from fairsweep.engine.cluster import connected, limit_threads
from fairsweep.engine.sizes import generator_size
from fairsweep.portraits.dataset import write_dataset
from fairsweep.spec import RunSpec
from fairsweep.spec.data import DataSpec
from fairsweep.spec.encoder import EncoderSpec
from fairsweep.store import Store

_BATCH = 256
_FILES = 10
_ENCODER = EncoderSpec(name="clip", kind="open_clip", model="builtin:portraits")


def run(portraits: int = 20_000) -> dict[str, float]:
    """Return pictures per second of the built-in CLIP in a bare loop and of the index stage, from Parquet to Parquet.

    The portraits are 5,000 at most, as often as it takes. The loop is open_clip's own, a picture at a time through its
    transforms and a batch through the model. It gets some of the pictures, opened already, in the same batches and
    with as many threads as the actor, before and after the stage; the faster of the two counts. The stage
    is timed from its first file done to its last: what comes before is start-up.
    """
    with tempfile.TemporaryDirectory() as folder, connected(None, RunSpec()):
        source = Path(folder, "data")
        (path,) = write_dataset(Path(folder, "whole"), min(portraits, 5_000), seed=0)[:1]
        source.mkdir()
        table = pq.read_table(path)
        for number in range(_FILES):
            rows = [row % len(table) for row in range(number * portraits // _FILES, (number + 1) * portraits // _FILES)]
            pq.write_table(table.take(rows), source / f"{number}.parquet", row_group_size=1_000)
        size = generator_size(RunSpec())
        limit_threads(size.threads)
        before = _loop(table)
        stage = _stage(source, Store(Path(folder, "store")))
        loop = max(before, _loop(table))
    return {"bare_loop": loop, "index": stage, "index_over_loop": stage / loop, "threads": size.threads}


def _loop(table) -> float:
    import torch

    from fairsweep.classifiers.clip import Clip

    clip = Clip(_ENCODER.model)
    encoded = [picture["bytes"] for picture in table.column("image").to_pylist()[: 8 * _BATCH]]
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in encoded]

    @torch.inference_mode()
    def embed(batch: list[Image.Image]) -> None:
        pixels = torch.stack([clip.preprocess(picture) for picture in batch])
        clip.model.encode_image(pixels, normalize=True).float().cpu().numpy()

    embed(pictures[:_BATCH])
    started = time.perf_counter()
    for start in range(0, len(pictures), _BATCH):
        embed(pictures[start : start + _BATCH])
    return len(pictures) / (time.perf_counter() - started)


def _stage(source: Path, store: Store) -> float:
    data = DataSpec(name="portraits", source=str(source))
    tasks = [IndexTask(data, part, _ENCODER) for part in open_data(data).parts()]
    done: list[tuple[float, int]] = []
    with store.lock():
        for report in reports(tasks, RunSpec(actors=1), store, Console(quiet=True), "files"):
            done.append((time.perf_counter(), report.rows))
    return sum(rows for _, rows in done[1:]) / (done[-1][0] - done[0][0])
