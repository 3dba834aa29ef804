"""Turn images into label rows, and the actor that does so for images that are already stored."""

import asyncio
import gc
import io
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from fairsweep.classifiers.base import Label
from fairsweep.engine.blame import hindrance
from fairsweep.engine.events import Answer
from fairsweep.engine.gauges import LabelGauges
from fairsweep.engine.halving import Halving
from fairsweep.engine.places import Place
from fairsweep.errors import reason
from fairsweep.memory import loading
from fairsweep.plan.declared import wanted_attributes
from fairsweep.plan.todo import LabelTask
from fairsweep.sources import open_pictures
from fairsweep.spec import ClassifierSpec, SweepSpec
from fairsweep.store import Store
from fairsweep.store.files import DamageError
from fairsweep.store.pictures import read_or_refer


class Labeller:
    """One loaded classifier, and what its labels look like as rows."""

    def __init__(self, spec: SweepSpec, classifier: ClassifierSpec, device: str):
        self.wanted = wanted_attributes(spec, classifier)
        self._classifier = classifier.build(spec.attributes, device)
        self._halving = Halving()

    def rows(self, images: list, ids: list[str], prompts: list[str]) -> list[dict]:
        """Return the label rows of images (PIL); a failure is a row with its error for each wanted attribute."""
        start = time.perf_counter()
        pairs = list(zip(images, prompts, strict=True))
        results = self._halving.run(lambda part: self._classifier.classify(*zip(*part, strict=True)), pairs)
        seconds = (time.perf_counter() - start) / len(pairs)
        rows = []
        for image_id, labels in zip(ids, results, strict=True):
            error = reason(labels) if isinstance(labels, Exception) else None
            labels = [] if isinstance(labels, Exception) else labels
            fine = [label for label in labels if _is_measured(label)]
            rows += [{"image_id": image_id, "seconds": seconds, **vars(label)} for label in fine]
            unmeasured = {label.attribute for label in labels} - {label.attribute for label in fine}
            for attribute in {*self.wanted, *unmeasured} - {label.attribute for label in fine}:
                failed = error or f"the classifier gave no label for {attribute}"
                if attribute in unmeasured:
                    failed = f"the classifier gave no number for {attribute} (NaN, infinite, or an embedding of zeros)"
                row = {"image_id": image_id, "attribute": attribute, "label": "failed", "seconds": seconds}
                rows.append(row | {"error": failed})
        return rows


def _is_measured(label: Label) -> bool:
    """Tell whether all numbers of a label are numbers: which group is best among NaNs is no answer."""
    numbers = [label.score, *label.scores.values(), *(label.embedding or ())]
    return math.isfinite(sum(numbers)) and (label.embedding is None or any(label.embedding))


@dataclass
class LabelReport:
    """What became of images at the classifiers, by classifier: counts, and first errors.

    refused: why one cannot be loaded anywhere. unready: why one cannot be loaded here; its labels are left to others.
    damage: what is wrong with the file that the images were to be read from.
    """

    labelled: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unready: dict[str, str] = field(default_factory=dict)
    damage: str = ""
    seconds: float = 0.0

    def add(self, classifier: str, rows: list[dict]) -> None:
        """Count one classifier's rows."""
        bad = {row["image_id"]: row["error"] for row in rows if row.get("error")}
        images = {row["image_id"] for row in rows}
        self.labelled[classifier] = self.labelled.get(classifier, 0) + len(images) - len(bad)
        if bad:
            self.failed[classifier] = self.failed.get(classifier, 0) + len(bad)
            self.errors.setdefault(classifier, next(iter(bad.values())))


class Labellers:
    """The classifiers of a sweep in one process, each loaded when it is first needed.

    step: called with what is done from now on.
    """

    def __init__(self, spec: SweepSpec, store: Store, device: str, step: Callable[..., None] = lambda *_: None):
        self._spec, self._store, self._device, self._step = spec, store, device, step
        self._specs = {classifier.name: classifier for classifier in spec.classifiers}
        self._loaded: dict[str, Labeller] = {}
        self._refused: dict[str, str] = {}
        self._unready: dict[str, str] = {}
        self.traceback = ""

    def label(
        self,
        images: list,
        ids: list[str],
        prompts: list[str],
        names: Iterable[str] | None = None,
        without: Iterable[str] = (),
    ) -> tuple[LabelReport, dict[str, list[dict]]]:
        """Return the report and the rows by classifier; nothing is written."""
        start = time.perf_counter()
        report, rows = LabelReport(), {}
        for name in names or [name for name in self._specs if name not in without]:
            labeller = self._load(name)
            if name in self._refused:
                report.errors[name] = report.refused[name] = self._refused[name]
                report.failed[name] = len(ids)
            elif labeller is None:
                report.unready[name] = self._unready[name]
            elif ids:
                rows[name] = labeller.rows(images, ids, prompts)
                report.add(name, rows[name])
        report.seconds = time.perf_counter() - start
        return report, rows

    def failed(self, name: str, image_id: str, why: str) -> list[dict]:
        """Return the rows of an image that a classifier cannot be given."""
        wanted = wanted_attributes(self._spec, self._specs[name])
        return [{"image_id": image_id, "attribute": each, "label": "failed", "error": why} for each in wanted]

    def write(self, rows: dict[str, list[dict]]) -> None:
        """Write the rows of `label`."""
        for name, part in rows.items():
            self._store.write_labels(name, part)

    def _load(self, name: str) -> Labeller | None:
        if name not in (*self._loaded, *self._refused, *self._unready):
            self._step(f"classifier {name}")
            try:
                with loading():
                    self._loaded[name] = Labeller(self._spec, self._specs[name], self._device)
            except Exception as error:
                # A classifier that cannot be loaded costs its own labels, never the images.
                answer = hindrance(f"classifier {name}", error)
                if answer.refused is not None:
                    self._refused[name] = answer.refused
                else:
                    self._unready[name] = answer.unready or ""
                self.traceback = answer.traceback
                gc.collect()
            self._step()
        return self._loaded.get(name)


class LabelActor:
    """A Ray actor that labels images: handed over encoded, or read from the store."""

    def __init__(self, spec: SweepSpec, store: Store, threads: int):
        from fairsweep.engine.cluster import limit_threads, settle

        self._store = store
        device, self._place, journal = settle(threads, store)
        self._compute = ThreadPoolExecutor(1, initializer=limit_threads, initargs=(threads,))
        self._labellers = Labellers(spec, store, device.torch_device, journal.step)
        self._names = [classifier.name for classifier in spec.classifiers]
        self._gauges = LabelGauges(self._names)
        self._device = device

    async def ready(self) -> Place:
        """Return where this actor sits; answers at once even while it labels."""
        return self._place

    async def label(self, encoded: list[bytes], ids: list[str], prompts: list[str]) -> LabelReport:
        """Label images just made, by every classifier of the sweep."""
        with ExitStack() as counted:
            for classifier in self._names:
                counted.enter_context(self._gauges.queue.holding(classifier))
            return await self._run(self._label, encoded, ids, prompts)

    async def label_stored(self, task: LabelTask) -> Answer:
        """Label images of one stored file by one classifier."""
        with self._gauges.queue.holding(task.classifier):
            return await self._run(self._label_stored, task)

    async def _run(self, function, *args):
        return await asyncio.get_running_loop().run_in_executor(self._compute, function, *args)

    def _label(self, encoded: list[bytes], ids: list[str], prompts: list[str]) -> LabelReport:
        report, rows = self._labellers.label([_picture(png) for png in encoded], ids, prompts)
        self._labellers.write(rows)
        self._gauges.labels(report)
        return report

    def _label_stored(self, task: LabelTask) -> Answer:
        name = task.classifier
        try:
            held = read_or_refer(self._store.place, task.file, task.images)
        except DamageError as damage:
            return Answer(LabelReport(damage=f"{task.file}: {damage}"))
        # From the store, or from where they lie.
        images = open_pictures(held)
        bad = {image_id: str(image) for image_id, image in images.items() if isinstance(image, Exception)}
        fine = {image_id: image for image_id, image in images.items() if image_id not in bad}
        prompts = [task.images[image_id][0] for image_id in fine]
        report, rows = self._labellers.label(list(fine.values()), list(fine), prompts, [name])
        if bad and name not in {*report.refused, *report.unready}:
            unread = [row for image_id, why in bad.items() for row in self._labellers.failed(name, image_id, why)]
            rows[name] = rows.get(name, []) + unread
            report.add(name, unread)
        if name not in rows:
            trace = self._labellers.traceback
            return Answer(refused=report.refused.get(name), unready=report.unready.get(name), traceback=trace)
        if report.failed:
            self._device.probe()
        new = [row for row in rows[name] if row["attribute"] not in task.images[row["image_id"]][1]]
        self._labellers.write({name: new})
        self._gauges.labels(report)
        return Answer(report, failed="" if report.labelled.get(name) else report.errors.get(name, ""))


def _picture(png: bytes):
    from PIL import Image

    return Image.open(io.BytesIO(png)).convert("RGB")
