"""Turn plan rows into stored images, and the actor that holds the pipeline while it does."""

import asyncio
import functools
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from fairsweep import __version__
from fairsweep.engine.blame import hindrance
from fairsweep.engine.device import Device
from fairsweep.engine.energy import Meter
from fairsweep.engine.events import Answer
from fairsweep.engine.gauges import Gauges, LabelGauges
from fairsweep.engine.halving import Halving
from fairsweep.engine.label import Labellers, LabelReport
from fairsweep.engine.places import Place
from fairsweep.engine.texts import Embedded, TextTask
from fairsweep.errors import reason
from fairsweep.memory import give_back, is_out_of_memory, loading
from fairsweep.plan.todo import Batch, stored
from fairsweep.sources.edited import EditedPictures
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.store.pictures import as_png

if TYPE_CHECKING:
    from fairsweep.pipelines.pipeline import Pipeline

_PACKAGES = ("torch", "diffusers", "transformers")


@dataclass
class BatchReport:
    """What became of one batch.

    made: images written. failed: (image_id, error) of those that were not. seconds: by stage (load, generate,
    classify, encode, write). joules: what the card used while it generated, where that can be told. labels: what the
    classifiers made of the images.
    """

    model: str
    made: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    joules: float | None = None
    labels: LabelReport = field(default_factory=LabelReport)


class Generator:
    """One loaded model at a time; turns batches into images. store: holds the pictures that the sweep starts from."""

    def __init__(self, spec: SweepSpec, device: str, store: Store | None = None):
        self._pictures = EditedPictures(store, spec.name) if store and spec.images else None
        self._models = {model.name: model for model in spec.models}
        settings = {setting.name: setting for setting in spec.guidance}

        @lru_cache(1024)
        def condition(setting: str, scales: tuple | None) -> Callable:
            return settings[setting].at(dict(scales or ())).build(spec.attributes, spec.prompts.negative_prompt)

        self._condition = condition
        self._device = device
        self._halving: dict[str, Halving] = {}
        self._pipeline: Pipeline | None = None
        self.loaded: str | None = None

    def load(self, model: str) -> None:
        """Hold the pipeline of this model, and no other; raises ModelLoadError."""
        if self.loaded == model:
            return
        from fairsweep.pipelines import load

        self._pipeline, self.loaded = None, None
        give_back()
        with loading():
            self._pipeline = load(self._models[model], self._device, self._pictures is not None)
        self.loaded = model

    def make(self, batch: Batch) -> tuple[list, list[str], tuple[int, ...]]:
        """Return for each row a PIL image or the exception, its prompt, and how many were denoised together."""
        conditionings = [
            self._condition(row["setting"], row["scales"] and tuple(row["scales"].items()))(
                row["prompt"], row["direction"]
            )
            for row in batch.rows
        ]
        asked: list[Sequence] = [conditionings, [row["seed"] for row in batch.rows]]
        if self._pictures is not None:
            asked.append(self._pictures.open(batch.rows))
        pipeline = self._pipeline
        assert pipeline is not None
        halving = self._halving.setdefault(batch.model, Halving())
        images = halving.run(lambda part: _denoised(pipeline, *zip(*part, strict=True)), list(zip(*asked, strict=True)))
        # Apart, so that what fails here costs no denoising; out of memory is the decoder's own to answer.
        sizes = halving.sizes
        fine = [index for index, latents in enumerate(images) if not isinstance(latents, Exception)]
        pictures = Halving().run(pipeline.decode, [images[index] for index in fine])
        for index, picture in zip(fine, pictures, strict=True):
            images[index] = picture
        # As the denoiser was told them: a rewriter's text is remembered, and one that failed is its image's error.
        prompts = [
            conditioning.prompt if isinstance(image, Exception) else pipeline.worded(conditioning.prompt)
            for conditioning, image in zip(conditionings, images, strict=True)
        ]
        return images, prompts, sizes

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return what the loaded model's first text encoder makes of texts."""
        from fairsweep.pipelines.sentences import text_encoders

        pipeline = self._pipeline
        assert pipeline is not None
        try:
            encoders = list(text_encoders(pipeline.pipe).values())
            return Embedded(encoders[0](texts)) if encoders else Embedded(reason="it has no text encoder")
        except Exception as error:
            # How an encoder is called differs from family to family; pictures do not depend on this call.
            return Embedded(reason=reason(error))

    @property
    def ran(self) -> dict[str, str]:
        """Return what of the loaded model decides an image's last bits and is not in its id."""
        pipeline = self._pipeline
        assert pipeline is not None
        revision = {"model_revision": pipeline.revision} if pipeline.revision else {}
        return {"decoding": pipeline.decoding} | revision


def _denoised(pipeline: "Pipeline", conditionings: Sequence, seeds: Sequence, pictures: Sequence = ()) -> Sequence:
    for picture in pictures:
        if isinstance(picture, Exception):
            raise picture
    return pipeline.denoise(conditionings, seeds, pictures)


class GeneratorActor:
    """A Ray actor around a Generator: one thread computes, another encodes and writes the batch before.

    label_actors: actors that classify; where there are none, the classifiers run here, beside the pipeline.
    """

    def __init__(self, spec: SweepSpec, store: Store, threads: int, label_actors: list | None = None):
        from fairsweep.engine.cluster import limit_threads, settle

        self._store = store
        self._device, self._place, self._journal = settle(threads, self._store)
        on = self._device.torch_device
        try:
            self._generator = Generator(spec, on, self._store)
        except Exception as error:
            self._place = replace(self._place, problem=reason(error))
        self._labellers = None if label_actors else Labellers(spec, self._store, on, self._journal.step)
        self._label_actors = label_actors or []
        self._compute = ThreadPoolExecutor(1, initializer=limit_threads, initargs=(threads,))
        self._output = ThreadPoolExecutor(1)
        self._gauges = Gauges(model.name for model in spec.models)
        # Label actors count what they label themselves.
        self._label_gauges = LabelGauges(c.name for c in spec.classifiers) if self._labellers else None
        self._meter = _meter(self._device, self._place)
        self._turn = 0

    async def ready(self) -> Place:
        """Return where this actor sits; answers at once even while a batch computes."""
        return self._place

    async def make(self, batch: Batch, without: tuple[str, ...] = ()) -> Answer:
        """Make, label and store one batch; a second call computes while the first is being written.

        without: classifiers that are not to be loaded here. Raises DeviceError where the device is of no more use.
        """
        loop = asyncio.get_running_loop()
        with self._gauges.queue.holding(batch.model):
            # A part of a batch that ended its process, maybe once it was written: stored twice, it would count twice.
            ids = [] if batch.label else [row["image_id"] for row in batch.rows]
            if ids and await loop.run_in_executor(self._output, stored, self._store, ids) == set(ids):
                return Answer(BatchReport(batch.model, made=len(ids)))
            refusal = await loop.run_in_executor(self._compute, self._load, batch.model)
            if refusal:
                return refusal
            work = await loop.run_in_executor(self._compute, self._computed, batch, without)
            report = await loop.run_in_executor(self._output, functools.partial(self._stored, *work))
            return Answer(report, failed="" if report.made else report.failed[0][1])

    async def embed(self, task: TextTask) -> Answer:
        """Embed texts by the text encoder of a model."""
        loop = asyncio.get_running_loop()
        refusal = await loop.run_in_executor(self._compute, self._load, task.model)
        return refusal or Answer(await loop.run_in_executor(self._compute, self._generator.embed, task.texts))

    def _load(self, model: str) -> Answer | None:
        start = time.perf_counter()
        if model != self._generator.loaded:
            self._journal.step(f"model {model}")
        try:
            self._generator.load(model)
        except Exception as error:
            return hindrance(f"model {model}", error)
        finally:
            self._journal.step()
            self._load_seconds = time.perf_counter() - start
        return None

    def _computed(self, batch: Batch, without: tuple[str, ...]) -> tuple:
        report = BatchReport(batch.model)
        meter = self._meter
        start, before = time.perf_counter(), meter.joules()
        images, prompts, sizes = self._generator.make(batch)
        report.seconds = {"load": self._load_seconds, "generate": time.perf_counter() - start}
        after = meter.joules()
        if before is not None and after is not None:
            report.joules = after - before
        if any(isinstance(image, Exception) and not is_out_of_memory(image) for image in images):
            self._device.probe()
        labels: dict = {}
        if self._labellers and batch.label:
            fine = [index for index, image in enumerate(images) if not isinstance(image, Exception)]
            ids = [batch.rows[index]["image_id"] for index in fine]
            pictures = [images[index] for index in fine]
            report.labels, labels = self._labellers.label(
                pictures, ids, [prompts[index] for index in fine], without=without
            )
            report.seconds["classify"] = report.labels.seconds
            if report.labels.failed:
                self._device.probe()
        energy = {"energy": meter.reason} if meter.reason else {}
        made_by = versions(**self._generator.ran, **self._device.versions(), **energy)
        return batch, report, images, prompts, sizes, labels, made_by

    def _stored(
        self,
        batch: Batch,
        report: BatchReport,
        images: list,
        prompts: list[str],
        sizes: tuple[int, ...],
        labels: dict,
        made_by: str,
    ) -> BatchReport:
        start = time.perf_counter()
        encoded = [None if isinstance(image, Exception) else as_png(image) for image in images]
        wrote = time.perf_counter()
        rows = [
            {
                **{key: row[key] for key in ("image_id", "model", "setting")},
                "image": png and {"bytes": png, "path": None},
                "prompt": prompt,
                "width": None if png is None else image.width,
                "height": None if png is None else image.height,
                "seconds": report.seconds["generate"] / len(images),
                "joules": None if report.joules is None else report.joules / len(images),
                "device": self._place.device,
                "batch_size": size,
                "error": reason(image) if png is None else None,
                "versions": made_by,
                "created": datetime.now(UTC),
            }
            for row, image, png, prompt, size in zip(batch.rows, images, encoded, prompts, sizes, strict=True)
        ]
        self._store.write_images(rows)
        report.failed = [(row["image_id"], row["error"]) for row in rows if row["error"]]
        report.made = len(rows) - len(report.failed)
        if self._label_actors:
            report.labels = self._sent(rows) if batch.label else report.labels
        elif self._labellers and labels:
            self._labellers.write(labels)
        report.seconds |= {"encode": wrote - start, "write": time.perf_counter() - wrote}
        self._gauges.batch(report)
        if self._label_gauges:
            self._label_gauges.labels(report.labels)
        return report

    def _sent(self, rows: list[dict]) -> LabelReport:
        import ray
        from ray.exceptions import RayError

        fine = [row for row in rows if not row["error"]]
        actor = self._label_actors[self._turn % len(self._label_actors)]
        self._turn += 1
        encoded = [row["image"]["bytes"] for row in fine]
        ids, prompts = [row["image_id"] for row in fine], [row["prompt"] for row in fine]
        try:
            return ray.get(actor.label.remote(encoded, ids, prompts))
        except RayError as error:
            # The images are stored: what these labels lack is made up for when all images are there.
            return LabelReport(unready={"all classifiers": reason(error)})


def _meter(device: Device, place: Place) -> Meter:
    why = place.problem or ("the card is shared" if device.share < 1 else None)
    return Meter(reason=why) if why else device.meter()


@functools.cache
def versions(**ran: str) -> str:
    """Return the JSON of what made an image: packages, and what was run that is in no package's version."""
    return json.dumps({"fairsweep": __version__} | {package: version(package) for package in _PACKAGES} | ran)
