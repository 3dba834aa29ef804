"""Measure the memory of a run's driver over many images: all is real but the actors, which write without a model."""

import asyncio
import os
import tempfile
from typing import Any

from rich.console import Console

from fairsweep.bench.process import own
from fairsweep.engine.account import Account
from fairsweep.engine.cluster import connected, start
from fairsweep.engine.events import Answer
from fairsweep.engine.generate import BatchReport
from fairsweep.engine.label import LabelReport
from fairsweep.engine.places import Place
from fairsweep.engine.run import Run
from fairsweep.engine.sizes import Size
from fairsweep.plan.declared import wanted_attributes
from fairsweep.plan.todo import Batch
from fairsweep.shipped import path
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.store import Store

# A picture's bytes, which nothing makes smaller.
_PICTURE = 2_000
_QUARTERS = 4


def run(images: int = 100_000) -> dict[str, float]:
    """Return the driver's MiB after each quarter of the demo's images and labels, and at most until they are merged.

    bytes_per_image: by how much it grew from the first quarter to the last, for each image in between.
    """
    spec = load_spec(path("jobs") / "demo.yaml")
    seeds = max(1, round(images / len(spec.prompts.expand()) / len(spec.guidance)))
    spec = spec.model_copy(update={"seeds": tuple(range(seeds))})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        with store.lock(), connected(None):
            account = _Noted(spec, store)
            outcome = _Driver(spec, store, account).execute()
    figures: dict[str, float] = {"images": outcome.made, "labelled": outcome.labelled}
    for number, mebibytes in enumerate(account.mebibytes, 1):
        figures[f"mib_after_{number}_of_{_QUARTERS}"] = mebibytes
    between = outcome.made * (_QUARTERS - 1) / _QUARTERS
    figures["bytes_per_image"] = (account.mebibytes[-1] - account.mebibytes[0]) * 2**20 / between
    figures["peak_mib"] = own("status", "VmHWM") / 1024
    return figures


class _Noted(Account):
    """The account of a run that notes this process's memory after each quarter of the images."""

    def __init__(self, spec: SweepSpec, store: Store):
        super().__init__(spec, store)
        self.mebibytes: list[float] = []

    def count(self, event: Any) -> None:
        super().count(event)
        if self.outcome.made >= self.outcome.planned * (len(self.mebibytes) + 1) / _QUARTERS:
            self.mebibytes.append(own("status", "VmRSS") / 1024)


class _Driver(Run):
    """A run whose generators write without a model."""

    def __init__(self, spec: SweepSpec, store: Store, account: Account):
        super().__init__(spec, store, Console(quiet=True))
        self._account, self.outcome = account, account.outcome

    def _start(self, kind: type, size: Size, *more: Any, restarts: int = 0) -> Any:
        wanted = {c.name: wanted_attributes(self.spec, c) for c in self.spec.classifiers}
        return start(_Maker, size, self.store, wanted)


class _Maker:
    """A generator that stores a picture of noise, and labels, for every row."""

    def __init__(self, store: Store, wanted: dict[str, tuple[str, ...]]):
        self._store, self._wanted = store, wanted

    async def ready(self) -> Place:
        return Place(f"process {os.getpid()}", "", os.getpid(), str(self._store.log("bench")))

    async def make(self, batch: Batch, without: tuple[str, ...]) -> Answer:
        return Answer(await asyncio.get_running_loop().run_in_executor(None, self._write, batch))

    def _write(self, batch: Batch) -> BatchReport:
        picture = {"bytes": os.urandom(_PICTURE), "path": None}
        self._store.write_images([{**row, "image": picture} for row in batch.rows])
        labels = LabelReport()
        for classifier, names in self._wanted.items():
            rows = [
                {"image_id": row["image_id"], "attribute": name, "label": "unknown"}
                for row in batch.rows
                for name in names
            ]
            self._store.write_labels(classifier, rows)
            labels.add(classifier, rows)
        return BatchReport(batch.model, made=len(batch.rows), seconds={"write": 0.0}, labels=labels)
