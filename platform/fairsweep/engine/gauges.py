"""What a running sweep tells Prometheus, through Ray's own metrics endpoint."""

from collections import Counter as Counted
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ray.util.metrics import Counter, Gauge


class Queue(Gauge):
    """How many pieces of work an actor was given and has not done, by what they need."""

    def __init__(self, name: str, description: str, tag: str):
        super().__init__(name, description, (tag,))
        self._tag = tag
        self._depth: Counted[str] = Counted()

    def add(self, key: str, count: int) -> None:
        """Count so many more, or fewer, for a key."""
        self._depth[key] += count
        self.set(self._depth[key], {self._tag: key})

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Count one piece of work while the block runs."""
        self.add(key, 1)
        try:
            yield
        finally:
            self.add(key, -1)


class LabelGauges:
    """The counters and gauges of who labels; all are there from the start, at zero."""

    def __init__(self, classifiers: Iterable[str] = ()):
        self._labelled = Counter("fairsweep_images_labelled", "images labelled, by classifier", ("classifier",))
        self.queue = Queue("fairsweep_label_queue_depth", "tasks handed to label actors and not done", "classifier")
        for name in classifiers:
            _exist(self._labelled, {"classifier": name})
            self.queue.add(name, 0)

    def labels(self, report) -> None:
        """Count one report of labels."""
        for classifier, count in report.labelled.items():
            if count:
                self._labelled.inc(count, {"classifier": classifier})


class Gauges:
    """The counters and gauges of one generator actor; all are there from the start, at zero."""

    def __init__(self, models: Iterable[str] = ()):
        tags = ("model",)
        self._made = Counter("fairsweep_images_generated", "images made and stored", tags)
        self._failed = Counter("fairsweep_images_failed", "images that could not be made", tags)
        self._seconds = Counter("fairsweep_stage_seconds", "seconds spent per stage", ("model", "stage"))
        self.queue = Queue("fairsweep_queue_depth", "batches handed to generator actors and not done", "model")
        for model in models:
            _exist(self._made, {"model": model})
            _exist(self._failed, {"model": model})
            self.queue.add(model, 0)

    def batch(self, report) -> None:
        """Count one batch's report."""
        tags = {"model": report.model}
        if report.made:
            self._made.inc(report.made, tags)
        if report.failed:
            self._failed.inc(len(report.failed), tags)
        for stage, seconds in report.seconds.items():
            if seconds > 0:
                self._seconds.inc(seconds, tags | {"stage": stage})


def _exist(counter: Counter, tags: dict[str, str]) -> None:
    # A rate or an alert needs the zero before the first failure, and Ray's own `inc` refuses to count nothing.
    counter._record(0, tags)
