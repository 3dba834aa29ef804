"""A disk that is full at any kind of write, a store that is read-only: one line, nothing torn, and on it goes."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairsweep import cli
from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import write_catalogue
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.store.compact import compact
from support.checks import ask, problems

COUNTS = "select (select count(*) from images), (select count(*) from labels), (select count(*) from planned)"


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """Yield the root of a file system of its own, of four mebibytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def store(disk) -> Store:
    store = Store(disk / "store")
    write_images(store, "a")
    for number in range(4):
        write_labels(store, f"{number}")
    return store


def fill(disk: Path, leave: int) -> Path:
    """Fill a file system but for some bytes; return the file that does."""
    filler = disk / "filler"
    told = os.statvfs(disk)
    filler.write_bytes(bytes(told.f_bavail * told.f_frsize - leave))
    return filler


def write_images(store: Store, name: str) -> None:
    noise = random.Random(name)
    rows = [{"image_id": f"{name} {n}", "model": "m", "setting": "s"} for n in range(8)]
    store.write_images([{**row, "image": {"bytes": noise.randbytes(20_000)}} for row in rows])


def write_labels(store: Store, name: str) -> None:
    noise = random.Random(name)
    rows = [{"image_id": f"{name} {n}", "attribute": "gender", "label": "male"} for n in range(400)]
    store.write_labels("clip", [{**row, "score": noise.random()} for row in rows])


def merge(store: Store) -> None:
    compact(store, lambda: write_catalogue(store), grace=0)


WRITES = {
    "images": lambda store, spec: write_images(store, "b"),
    "labels": lambda store, spec: write_labels(store, "b"),
    "plan": lambda store, spec: write_plan(spec, store),
    "classifier": lambda store, spec: store.write_classifier("clip", {"kind": "open_clip"}),
    "compaction": lambda store, spec: merge(store),
    "catalogue": lambda store, spec: write_catalogue(store),
}


@pytest.mark.parametrize("leave", [0, 8192])
@pytest.mark.parametrize("kind", WRITES)
def test_a_full_disk_tears_nothing(store, disk, tiny_data, kind, leave):
    spec = SweepSpec.model_validate(tiny_data | {"seeds": 200})
    before, filler = ask(store.root, COUNTS), fill(disk, leave)
    with store.lock():
        if leave == 0 or kind in ("images", "labels", "plan", "compaction", "catalogue"):
            with pytest.raises((OSError, StoreError), match="No space left on device"):
                WRITES[kind](store, spec)
        assert ask(store.root, COUNTS) == before and not problems(store)
        assert not [path for path in store.root.rglob("*") if path.name.endswith(".tmp")]
        filler.unlink()
        WRITES[kind](store, spec)
    grown = {"images": (8, 0, 0), "labels": (0, 400, 0), "plan": (0, 0, 800)}.get(kind, (0, 0, 0))
    assert ask(store.root, COUNTS) == [tuple(a + b for a, b in zip(before[0], grown, strict=True))]
    assert not problems(store)


def test_an_import_into_a_full_disk_is_one_line(store, disk, tmp_path, capsys):
    file = tmp_path / "labels.csv"
    file.write_text("prompt,image,gender\n" + "".join(f"nurse,{n},female\n" for n in range(2000)))
    command = ["import", str(file), "--groups", "gender=female,male", "--store", str(store.root)]
    before, filler = ask(store.root, COUNTS), fill(disk, 0)
    assert cli.run(command) == 2
    error = capsys.readouterr().err
    assert "No space left on device" in error and len(error.splitlines()) == 1
    filler.unlink()
    assert cli.run(command) == 0
    assert ask(store.root, COUNTS) == [(before[0][0], before[0][1] + 2000, 2000)]


def test_a_read_only_store_is_read_and_not_written(store, disk, tiny_data, write_spec, capsys):
    write_plan(SweepSpec.model_validate(tiny_data), store)
    write_catalogue(store)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    root = ["--store", str(store.root)]
    for command in (["status"], ["sql", "from summary"], ["measure"], ["plan", str(write_spec(tiny_data))]):
        assert cli.run([*command, *root]) == 0, command
    capsys.readouterr()
    for command in (["compact"], ["verify"], ["run", str(write_spec(tiny_data))]):
        assert cli.run([*command, *root]) == 2, command
        error = capsys.readouterr().err
        assert "read-only" in error.lower() and len(error.splitlines()) == 1
