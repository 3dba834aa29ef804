"""What a running sweep tells Prometheus, through Ray's own metrics endpoint."""

from collections import Counter as Counted

from ray.util.metrics import Counter, Gauge


class Gauges:
    """The counters and gauges of one generator actor."""

    def __init__(self):
        tags = ("model",)
        self._made = Counter("fairsweep_images_generated", "images made and stored", tags)
        self._failed = Counter("fairsweep_images_failed", "images that could not be made", tags)
        self._labelled = Counter("fairsweep_images_labelled", "images labelled, by classifier", ("classifier",))
        self._seconds = Counter("fairsweep_stage_seconds", "seconds spent per stage", ("model", "stage"))
        self._queue = Gauge("fairsweep_queue_depth", "batches handed to this actor and not done", tags)
        self._depth = 0
        self._by_model: Counted[str] = Counted()

    def queue(self, model: str, depth: int) -> None:
        """Tell how many batches of all models wait or run, after one of `model` came or went."""
        # Where one model follows another, batches of both are there at once, and each is counted as its own.
        self._by_model[model] += depth - self._depth
        self._depth = depth
        self._queue.set(self._by_model[model], {"model": model})

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
        for classifier, count in report.labels.labelled.items():
            if count:
                self._labelled.inc(count, {"classifier": classifier})
