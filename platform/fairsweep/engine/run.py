"""Run what a sweep lacks: images, their labels, then compaction; the same call resumes whatever was cut short."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import duckdb
from rich.console import Console

from fairsweep import builtin
from fairsweep.engine import cluster
from fairsweep.engine.generate import BatchReport, GeneratorActor
from fairsweep.engine.label import LabelActor, LabelReport, wanted_attributes
from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import write_catalogue
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Batch, Todo, batches
from fairsweep.spec import LabelSpec, SweepSpec
from fairsweep.store import Store
from fairsweep.store.compact import compact
from fairsweep.store.verify import sift, verify
from fairsweep.terminal.progress import RunProgress

_FAILED_ROWS = 4096
_SHOWN = 20


@dataclass
class Outcome:
    """What a run did: counts of images, and the first failures with their reasons."""

    planned: int = 0
    there: int = 0
    made: int = 0
    labelled: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    failed_images: int = 0
    failed_labels: int = 0
    refused_models: dict[str, str] = field(default_factory=dict)
    refused_classifiers: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Tell whether everything asked for is there."""
        return not (self.failed_images or self.failed_labels or self.refused_models or self.stopped)


class TooManyFailuresError(Exception):
    """Stop the sweep: nothing has worked for a while."""


class Run:
    """One run of a sweep over a store, on the Ray cluster that is connected."""

    def __init__(self, spec: SweepSpec, store: Store, console: Console):
        self.spec, self.store, self.console = spec, store, console
        self.outcome = Outcome()
        self._failures = 0

    def execute(self, limit: int | None = None) -> Outcome:
        """Make and label what is missing, at most `limit` new images; the caller holds the store's lock."""
        sift(self.store)
        check_classifiers_of_store(self.spec, self.store)
        path = write_plan(self.spec, self.store)
        for name, shares in builtin.references(model.source for model in self.spec.models):
            self.store.write("references", name, shares)
        try:
            self._work(path, limit)
        except duckdb.Error:
            # A file that is damaged inside shows only when it is read.
            _, damaged = verify(self.store)
            if not damaged:
                raise
            self._work(path, limit)
        compact(self.store, lambda: write_catalogue(self.store))
        write_catalogue(self.store)
        return self.outcome

    def label(self, plan: Path) -> Outcome:
        """Label the images of a plan that are in the store, made here or not; the caller holds the store's lock."""
        sift(self.store)
        check_classifiers_of_store(self.spec, self.store)
        self._label(plan)
        compact(self.store, lambda: write_catalogue(self.store))
        write_catalogue(self.store)
        return self.outcome

    def _work(self, path: Path, limit: int | None) -> None:
        try:
            self._generate(path, limit)
            self._label(path)
        except TooManyFailuresError as stop:
            self.outcome.stopped = str(stop)

    def _generate(self, path: Path, limit: int | None) -> None:
        with Todo(self.store, path) as todo:
            missing = todo.missing()
            self.outcome.planned, self.outcome.there = todo.planned, todo.planned - len(missing)
        rows = missing[:limit]
        if not len(rows):
            return
        size = cluster.generator_size(self.spec.run, -(-len(rows) // self.spec.run.batch_size))
        label_actors = []
        if self.spec.run.classifier_gpus:
            label_actors = self._start(LabelActor, cluster.label_size(self.spec.run, -(-size.actors // 4)))
        actors = self._start(GeneratorActor, size, label_actors)
        try:
            self._watch(actors, "make", self._todo(path, rows), "images", len(rows))
        finally:
            _stop(actors + label_actors)

    def _todo(self, path: Path, rows) -> Iterator[tuple[Batch]]:
        """Yield the batches of the models that load; record the others' rows as failed with the reason."""
        lost: list[dict] = []
        for batch in batches(path, rows):
            if batch.model not in self.outcome.refused_models:
                yield (batch,)
                continue
            lost += batch.rows
            if len(lost) >= _FAILED_ROWS:
                self._refuse(lost)
                lost = []
        self._refuse(lost)

    def _refuse(self, rows) -> None:
        if rows:
            self.store.write_images([{**row, "error": self.outcome.refused_models[row["model"]]} for row in rows])
            self.outcome.failed_images += len(rows)
            self._progress.add(0, len(rows))

    def _label(self, path: Path) -> None:
        wanted = {c.name: wanted_attributes(self.spec, c) for c in self.spec.classifiers}
        with Todo(self.store, path) as todo:
            counts = {name: todo.count_missing_labels(name, names) for name, names in wanted.items()}
            tasks = (
                (name, task)
                for name, names in wanted.items()
                if counts[name] and name not in self.outcome.refused_classifiers
                for task in todo.label_tasks(name, names)
            )
            # All that is missing is tried again now: what failed beside the pipeline counts only if it fails here too.
            self.outcome.failed_labels = sum(counts[name] for name in self.outcome.refused_classifiers)
            total = sum(count for name, count in counts.items() if name not in self.outcome.refused_classifiers)
            if not total:
                return
            actors = self._start(LabelActor, cluster.label_size(self.spec.run, -(-total // 16)))
            try:
                self._watch(actors, "label_stored", tasks, "labels", total)
            finally:
                _stop(actors)

    def _start(self, kind: type, size: cluster.Size, *more) -> list:
        return cluster.start(kind, size, self.spec, str(self.store.root), size.threads, *more)

    def _watch(self, actors: list, method: str, tasks: Iterator[tuple], what: str, total: int) -> None:
        from fairsweep.engine.dispatch import Dispatcher

        dispatcher = Dispatcher(actors, method, tasks)
        start = time.perf_counter()

        def tick() -> None:
            waiting = f"{dispatcher.actors} of {len(actors)} actors are there"
            self._progress.tick("loading models" if dispatcher.actors else f"waiting for the cluster: {waiting}")

        with RunProgress(self.console, what, total) as self._progress, closing(dispatcher.run(tick)) as reports:
            for report in reports:
                if "startup" not in self.outcome.seconds and isinstance(report, BatchReport):
                    work = sum(seconds for stage, seconds in report.seconds.items() if stage != "load")
                    self._spent("startup", max(0.0, time.perf_counter() - start - work))
                if isinstance(report, BatchReport):
                    self._count_batch(report)
                else:
                    self._count_labels(report)
                    self._progress.add(sum(report.labelled.values()), sum(report.failed.values()))
        self.outcome.places += [place.device for place in dispatcher.places]
        self._spent(what, time.perf_counter() - start)

    def _count_batch(self, report: BatchReport) -> None:
        if report.refused:
            self.outcome.refused_models[report.model] = report.refused
            self._refuse(report.rows)
            return
        self.outcome.made += report.made
        self.outcome.failed_images += len(report.failed)
        self._remember(report.failed)
        self._progress.add(report.made, len(report.failed))
        self._count_labels(report.labels)
        for stage, seconds in report.seconds.items():
            self._spent(stage, seconds)
        self._failures = 0 if report.made else self._failures + len(report.failed)
        if self._failures >= self.spec.run.max_consecutive_failures:
            first = self.outcome.failed[0][1]
            raise TooManyFailuresError(f"stopped after {self._failures} failed images in a row; the first: {first}")

    def _count_labels(self, report: LabelReport) -> None:
        self.outcome.labelled += sum(report.labelled.values())
        self.outcome.failed_labels += sum(report.failed.values())
        self._remember(list(report.errors.items()))
        for name in report.refused:
            self.outcome.refused_classifiers.setdefault(name, report.errors[name])

    def _remember(self, failed: list[tuple[str, str]]) -> None:
        known = {name for name, _ in self.outcome.failed}
        room = max(0, _SHOWN - len(self.outcome.failed))
        self.outcome.failed += [entry for entry in failed if entry[0] not in known][:room]

    def _spent(self, stage: str, seconds: float) -> None:
        self.outcome.seconds[stage] = self.outcome.seconds.get(stage, 0.0) + seconds


def label(spec: LabelSpec, store: Store, plan: Path, console: Console) -> Outcome:
    """Label images that are in the store, made here or not, on the cluster that is connected; see `Run.label`."""
    # The label stage asks a spec for its attributes, its classifiers and its run, which both kinds have.
    return Run(cast(SweepSpec, spec), store, console).label(plan)


def check_classifiers_of_store(spec: SweepSpec, store: Store) -> None:
    """Refuse a classifier under a name whose labels in the store were made with other settings."""
    for classifier in spec.classifiers:
        now, before = classifier.model_dump(mode="json"), store.read_classifier(classifier.name)
        if before is None:
            store.write_classifier(classifier.name, now)
        elif before != now:
            raise StoreError(
                f"the labels of classifier {classifier.name!r} in {store.root} were made with other settings: "
                "give it another name, or use another store"
            )


def _stop(actors: list) -> None:
    import ray

    for actor in actors:
        ray.kill(actor, no_restart=True)
