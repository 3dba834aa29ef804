"""Turn plan rows into stored images, and the actor that holds the pipeline while it does."""

import asyncio
import functools
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from fairsweep import __version__
from fairsweep.engine.gauges import Gauges
from fairsweep.engine.halving import Halving
from fairsweep.engine.label import Labellers, LabelReport
from fairsweep.errors import FairsweepError, reason
from fairsweep.memory import give_back
from fairsweep.plan.todo import Batch
from fairsweep.spec import SweepSpec
from fairsweep.store import Store

if TYPE_CHECKING:
    from fairsweep.pipelines.pipeline import Pipeline

_PACKAGES = ("torch", "diffusers", "transformers")


@dataclass
class BatchReport:
    """What became of one batch.

    made: images written. failed: (image_id, error) of those that were not. refused: why the model cannot be loaded;
    rows: the batch, in that case. seconds: by stage (load, generate, classify, encode, write).
    labels: what the classifiers made of the images.
    """

    model: str
    made: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    refused: str | None = None
    rows: tuple[dict, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    labels: LabelReport = field(default_factory=LabelReport)


class Generator:
    """One loaded model at a time; turns batches into images."""

    def __init__(self, spec: SweepSpec, device: str):
        self._models = {model.name: model for model in spec.models}
        self._condition = {
            setting.name: setting.build(spec.attributes, spec.prompts.negative_prompt) for setting in spec.guidance
        }
        self._device = device
        self._halving: dict[str, Halving] = {}
        self._pipeline: Pipeline | None = None
        self._loaded: str | None = None

    def load(self, model: str) -> None:
        """Hold the pipeline of this model, and no other; raises ModelLoadError."""
        if self._loaded == model:
            return
        from fairsweep.pipelines import load

        self._pipeline, self._loaded = None, None
        give_back()
        self._pipeline, self._loaded = load(self._models[model], self._device), model

    def make(self, batch: Batch) -> tuple[list, list[str]]:
        """Return for each row a PIL image or the exception, and the prompt that the pipeline was given."""
        conditionings = [self._condition[row["setting"]](row["prompt"], row["direction"]) for row in batch.rows]
        pairs = list(zip(conditionings, [row["seed"] for row in batch.rows], strict=True))
        pipeline = self._pipeline
        assert pipeline is not None
        halving = self._halving.setdefault(batch.model, Halving())
        images = halving.run(lambda part: pipeline.denoise(*zip(*part, strict=True)), pairs)
        # Apart, so that what fails here costs no denoising; out of memory is the decoder's own to answer.
        fine = [index for index, latents in enumerate(images) if not isinstance(latents, Exception)]
        pictures = Halving().run(pipeline.decode, [images[index] for index in fine])
        for index, picture in zip(fine, pictures, strict=True):
            images[index] = picture
        return images, [conditioning.prompt for conditioning in conditionings]

    @property
    def revision(self) -> str | None:
        """Return the commit of the loaded model, where it is known."""
        return getattr(self._pipeline, "revision", None)


class GeneratorActor:
    """A Ray actor around a Generator: one thread computes, another encodes and writes the batch before.

    label_actors: actors that classify; where there are none, the classifiers run here, beside the pipeline.
    """

    def __init__(self, spec: SweepSpec, root: str, threads: int, label_actors: list | None = None):
        from fairsweep.engine.cluster import limit_threads, settle

        self._where = settle(threads)
        self._store = Store(root)
        self._generator = Generator(spec, self._where.torch_device)
        self._labellers = None if label_actors else Labellers(spec, self._store, self._where.torch_device)
        self._label_actors = label_actors or []
        self._compute = ThreadPoolExecutor(1, initializer=limit_threads, initargs=(threads,))
        self._output = ThreadPoolExecutor(1)
        self._gauges = Gauges()
        self._waiting = 0
        self._turn = 0

    async def ready(self):
        """Return where this actor sits; answers at once even while a batch computes."""
        return self._where

    async def make(self, batch: Batch) -> BatchReport:
        """Make, label and store one batch; a second call computes while the first is being written."""
        loop = asyncio.get_running_loop()
        self._waiting += 1
        self._gauges.queue(batch.model, self._waiting)
        try:
            work = await loop.run_in_executor(self._compute, self._computed, batch)
            return await loop.run_in_executor(self._output, functools.partial(self._stored, *work))
        finally:
            self._waiting -= 1
            self._gauges.queue(batch.model, self._waiting)

    def _computed(self, batch: Batch) -> tuple:
        report = BatchReport(batch.model)
        start = time.perf_counter()
        try:
            self._generator.load(batch.model)
        except Exception as error:
            known = isinstance(error, FairsweepError)
            report.refused = str(error) if known else f"model {batch.model}: {reason(error)}"
            report.rows = batch.rows
            return batch, report, [], [], {}, ""
        loaded = time.perf_counter()
        images, prompts = self._generator.make(batch)
        made = time.perf_counter()
        report.seconds = {"load": loaded - start, "generate": made - loaded}
        labels: dict = {}
        if self._labellers:
            fine = [index for index, image in enumerate(images) if not isinstance(image, Exception)]
            ids = [batch.rows[index]["image_id"] for index in fine]
            pictures = [images[index] for index in fine]
            report.labels, labels = self._labellers.label(pictures, ids, [prompts[index] for index in fine])
            report.seconds["classify"] = report.labels.seconds
        return batch, report, images, prompts, labels, versions(self._generator.revision)

    def _stored(
        self, batch: Batch, report: BatchReport, images: list, prompts: list[str], labels: dict, made_by: str
    ) -> BatchReport:
        if report.refused:
            return report
        start = time.perf_counter()
        encoded = [None if isinstance(image, Exception) else encode(image) for image in images]
        wrote = time.perf_counter()
        rows = [
            {
                **{key: row[key] for key in ("image_id", "model", "setting")},
                "image": png and {"bytes": png, "path": None},
                "prompt": prompt,
                "width": None if png is None else image.width,
                "height": None if png is None else image.height,
                "seconds": report.seconds["generate"] / len(images),
                "device": self._where.device,
                "batch_size": len(images),
                "error": reason(image) if png is None else None,
                "versions": made_by,
                "created": datetime.now(UTC),
            }
            for row, image, png, prompt in zip(batch.rows, images, encoded, prompts, strict=True)
        ]
        self._store.write_images(rows)
        report.failed = [(row["image_id"], row["error"]) for row in rows if row["error"]]
        report.made = len(rows) - len(report.failed)
        if self._label_actors:
            report.labels = self._sent(rows)
        elif self._labellers:
            self._labellers.write(labels)
        report.seconds |= {"encode": wrote - start, "write": time.perf_counter() - wrote}
        self._gauges.batch(report)
        return report

    def _sent(self, rows: list[dict]) -> LabelReport:
        import ray

        fine = [row for row in rows if not row["error"]]
        actor = self._label_actors[self._turn % len(self._label_actors)]
        self._turn += 1
        encoded = [row["image"]["bytes"] for row in fine]
        ids, prompts = [row["image_id"] for row in fine], [row["prompt"] for row in fine]
        return ray.get(actor.label.remote(encoded, ids, prompts))


def encode(image) -> bytes:
    """Return a PIL image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@functools.cache
def versions(revision: str | None) -> str:
    """Return the JSON of what made an image: packages, and the model's commit where it is known."""
    known = {"fairsweep": __version__} | {package: version(package) for package in _PACKAGES}
    return json.dumps(known | ({"model_revision": revision} if revision else {}))
