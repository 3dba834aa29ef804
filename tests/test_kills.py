"""Killed at random moments, on a disk and in a bucket: nothing is lost, doubled or torn; the same command goes on."""

import io
import itertools
import random

import pytest
from PIL import Image

from support import plain
from support.kills import Sweep, finished, run_over
from support.writer import BATCHES, png, work

IDS = sorted(image_id for batch in BATCHES for image_id in batch)


@pytest.mark.parametrize("kills", [6, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_whatever_is_killed_the_same_command_goes_on(place, kills, bucket, tmp_path):
    roots = (str(tmp_path / f"store {n}") if place == "disk" else f"{bucket}/{n}" for n in itertools.count())
    # A writer needs about a second for everything; what is cut short is most often in the middle.
    for root in finished(work, roots, tmp_path, kills, 0.6):
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
FEW = ["generate", "compaction"]


@pytest.fixture
def sweep_data(tiny_data) -> dict:
    """Return a sweep of 24 images in batches of two, by two actors."""
    data = tiny_data | {"seeds": 6, "run": {"batch_size": 2, "actors": 2, "cpus_per_actor": 1}}
    data["models"][0]["steps"] = 10
    return data


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        ("disk", FEW),
        pytest.param("disk", [part for part in PARTS if part not in FEW], marks=pytest.mark.slow),
        pytest.param("bucket", list(PARTS)[:6], marks=pytest.mark.slow),
    ],
)
def test_whatever_is_killed_of_a_whole_run_the_same_command_goes_on(
    place, parts, bucket, tmp_path, write_spec, sweep_data
):
    roots = (str(tmp_path / f"store {n}") if place == "disk" else f"{bucket}/{n}" for n in itertools.count())
    moments = [(PARTS[part][0], PARTS[part][1 if place == "disk" else 2]) for part in parts]
    for root in run_over(Sweep(write_spec(sweep_data)), roots, moments, random.Random(len(parts))):
        check(root)


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
