"""Killed at random moments, on a disk and in a bucket: nothing is lost, doubled or torn; the same command goes on."""

import io
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
from PIL import Image

from support import plain
from support.writer import BATCHES, png, work

IDS = sorted(image_id for batch in BATCHES for image_id in batch)
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["support.writer"])


def start(root: str, folder: Path):
    """Start a writer, and return its process once it has begun to work."""
    begun = folder / f"begun-{time.monotonic_ns()}"
    process = PROCESSES.Process(target=work, args=(root, begun))
    process.start()
    while not begun.exists() and process.is_alive():
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("kills", [6, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_whatever_is_killed_the_same_command_goes_on(place, kills, bucket, tmp_path):
    chance, killed, stores = random.Random(kills), 0, 0
    while killed < kills:
        stores += 1
        root = str(tmp_path / f"store {stores}") if place == "disk" else f"{bucket}/{stores}"
        while True:
            process = start(root, tmp_path)
            # A writer needs about a second for everything; what is cut short is most often in the middle.
            process.join(chance.uniform(0, 0.6) if killed < kills else None)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            killed += 1
        assert process.exitcode == 0
        for kind in ("images", "labels"):
            assert sorted(plain.rows(root, kind).column("image_id").to_pylist()) == IDS
        for row in plain.rows(root, "images").select(["image_id", "image"]).to_pylist():
            assert row["image"]["bytes"] == png(row["image_id"])["bytes"]


# Part of a run -> what is new in the store once it has begun; and whom to kill then: on a disk, and in a bucket.
PARTS = {
    "start": ("", "driver", "group"),
    "load": ("plan/", "raylet", "worker"),
    "generate": ("images/", "worker", "raylet"),
    "label": ("labels/", "driver", "group"),
    "compaction": ("compacted-", "group", "raylet"),
    "manifest": ("_compacted.json", "group", "driver"),
    "catalogue": ("fairsweep.duckdb", "group", None),
    "tracking": ("mlflow.db", "driver", None),
}


class Sweep:
    """`fairsweep run` in a process group of its own, as often as it takes."""

    def __init__(self, spec: Path):
        self._command = [sys.executable, "-m", "fairsweep.cli", "run", str(spec), "--store"]
        self._log = spec.with_suffix(".log")
        self._processes: list[psutil.Process] = []

    def start(self, root: str) -> None:
        self.root, self._before = root, set(plain.listed(root).items())
        with open(self._log, "ab") as log:
            self._run = subprocess.Popen([*self._command, root], stdout=log, stderr=log, start_new_session=True)

    def reached(self, part: str, chance: random.Random) -> bool:
        """Wait until the run has come to a part of it, and for a moment more; tell whether it goes on."""
        mark = PARTS[part][0]
        while mark and not any(mark in key for key, _ in set(plain.listed(self.root).items()) - self._before):
            if self._run.poll() is not None:
                return False
            time.sleep(0.01)
        # Most of a start is spent on Ray; the other parts of so small a run are short.
        time.sleep(chance.uniform(0, 0.1 if mark else 5))
        return self._run.poll() is None

    def kill(self, victim: str) -> bool:
        """Kill a process, or all; tell whether the run is over with it."""
        children = psutil.Process(self._run.pid).children(recursive=True)
        self._processes += children
        if victim in ("worker", "raylet"):
            name = {"worker": "ray::Generator", "raylet": "raylet"}[victim]
            found = [child for child in children if child.name().startswith(name)]
            if found:
                found[0].kill()
                return victim == "raylet" and self.end() is not None
            victim = "driver"
        if victim == "group":
            os.killpg(self._run.pid, signal.SIGKILL)
        self._run.kill()
        self.end()
        return True

    def end(self) -> int:
        return self._run.wait(timeout=120)

    def close(self) -> None:
        """End what a killed run may have left behind."""
        if self._run.poll() is None:
            self.kill("group")
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @property
    def printed(self) -> str:
        return self._log.read_text()


@pytest.fixture
def sweep_data(tiny_data) -> dict:
    """Return a sweep of 24 images in batches of two, by two actors."""
    data = tiny_data | {"seeds": 6, "run": {"batch_size": 2, "actors": 2, "cpus_per_actor": 1}}
    data["models"][0]["steps"] = 10
    return data


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        ("disk", ["generate", "compaction"]),
        pytest.param("disk", list(PARTS), marks=pytest.mark.slow),
        pytest.param("bucket", list(PARTS)[:6], marks=pytest.mark.slow),
    ],
)
def test_whatever_is_killed_of_a_whole_run_the_same_command_goes_on(
    place, parts, bucket, tmp_path, write_spec, sweep_data
):
    chance = random.Random(len(parts))
    roots = (str(tmp_path / f"store {n}") if place == "disk" else f"{bucket}/{n}" for n in itertools.count())
    sweep = Sweep(write_spec(sweep_data))
    killed: list[tuple[str, str]] = []

    def complete() -> None:
        assert sweep.end() == 0, (killed, sweep.printed)
        check(sweep.root)

    sweep.start(next(roots))
    try:
        for part in parts:
            while not sweep.reached(part, chance):
                # The run before had done that part when it was killed.
                complete()
                sweep.start(next(roots))
            victim = PARTS[part][1 if place == "disk" else 2]
            killed.append((part, victim))
            if sweep.kill(victim):
                sweep.start(sweep.root)
        complete()
    finally:
        sweep.close()


def check(root: str) -> None:
    """Check by pyarrow alone that every planned image is there once, whole, and labelled once; by sqlite, tracked."""
    planned = sorted(plain.rows(root, "plan").column("image_id").to_pylist())
    images = plain.rows(root, "images").select(["image_id", "image", "error"]).to_pylist()
    assert len(planned) == 24 and sorted(row["image_id"] for row in images) == planned
    for row in images:
        assert row["error"] is None
        Image.open(io.BytesIO(row["image"]["bytes"])).load()
    labels = plain.rows(root, "labels").select(["image_id", "attribute", "error"]).to_pylist()
    wanted = itertools.product(planned, ("_image", "age", "gender"))
    assert sorted((row["image_id"], row["attribute"]) for row in labels) == sorted(wanted)
    assert not any(row["error"] for row in labels)
    assert root.startswith("s3://") or set(plain.tracked(root)) == {"FINISHED"}
