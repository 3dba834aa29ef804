"""Keep the account of a run: what its events say is counted, and what failed for good is written as failed."""

from collections.abc import Iterator, Sequence

from fairsweep.engine.events import GivenUp, LeftOut, Refused
from fairsweep.engine.generate import BatchReport
from fairsweep.engine.label import LabelReport
from fairsweep.engine.outcome import Outcome
from fairsweep.errors import StoreError
from fairsweep.plan.declared import wanted_attributes
from fairsweep.plan.todo import Batch, LabelTask, stored
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.terminal.progress import RunProgress

_FAILED_ROWS = 4096


class TooManyFailuresError(Exception):
    """Stop the sweep: nothing has worked for a while."""


class DamagedFileError(StoreError):
    """Stop working: a file of images turned out damaged, and its images are to be made again."""


class Account:
    """The outcome of a run as it grows, with the progress that is shown meanwhile."""

    # Of the stage that runs: each has its own.
    progress: RunProgress

    def __init__(self, spec: SweepSpec, store: Store):
        self.spec, self.store = spec, store
        self.outcome = Outcome()
        # Classifiers that end the process that loads them beside a model: they are tried again after all images.
        self.left_out: dict[str, str] = {}
        self._failures = 0

    def count(self, event) -> None:
        """Record an event of the dispatcher."""
        kind, _, name = getattr(event, "key", "").partition(" ")
        match event:
            case BatchReport():
                self._count_batch(event)
            case LabelReport():
                self._count_labels(event)
                self.progress.add(sum(event.labelled.values()), sum(event.failed.values()))
            case GivenUp(work, why):
                self._give_up(work, why)
            case Refused(_, why, rest):
                refused = self.outcome.refused_models if kind == "model" else self.outcome.refused_classifiers
                refused.setdefault(name, why)
                self._refuse(rest, why)
            case LeftOut(what, why):
                self.left_out[what.removeprefix("classifier ")] = why

    def _give_up(self, work: Batch | LabelTask, why: str) -> None:
        """Record as failed what ends every actor that works on it; what one wrote before it ended is made."""
        if isinstance(work, Batch):
            there = stored(self.store, [row["image_id"] for row in work.rows])
            self.outcome.made += len(there)
            self.progress.add(len(there), 0)
            rows = [row for row in work.rows if row["image_id"] not in there]
            self._fail_images(rows, why)
            self._failed_in_a_row([(row["image_id"], why) for row in rows])
            return
        classifier = next(c for c in self.spec.classifiers if c.name == work.classifier)
        rows = [
            {"image_id": image_id, "attribute": name, "label": "failed", "error": why}
            for image_id, (_, known) in work.images.items()
            for name in wanted_attributes(self.spec, classifier)
            if name not in known
        ]
        self.store.write_labels(work.classifier, rows)
        self._fail_labels(len(work.images))
        self.outcome.remember([(work.classifier, why)])

    def _refuse(self, rest: Iterator[Batch | LabelTask], why: str) -> None:
        """Record what needs a model that cannot be used as failed; what needs a classifier has no label."""
        rows: list[dict] = []
        for work in rest:
            if isinstance(work, LabelTask):
                self._fail_labels(len(work.images))
                continue
            rows += work.rows
            if len(rows) >= _FAILED_ROWS:
                self._fail_images(rows, why)
                rows = []
        self._fail_images(rows, why)

    def _fail_images(self, rows: Sequence[dict], why: str) -> None:
        if rows:
            self.store.write_images([{**row, "error": why} for row in rows])
            self.outcome.failed_images += len(rows)
            self.progress.add(0, len(rows))

    def _fail_labels(self, images: int) -> None:
        self.outcome.failed_labels += images
        self.progress.add(0, images)

    def _count_batch(self, report: BatchReport) -> None:
        self.outcome.made += report.made
        self.outcome.failed_images += len(report.failed)
        self.progress.add(report.made, len(report.failed))
        self._count_labels(report.labels)
        for stage, seconds in report.seconds.items():
            self.outcome.spend(stage, seconds)
        self._failures = 0 if report.made else self._failures
        self._failed_in_a_row(report.failed, all_failed=not report.made)

    def _failed_in_a_row(self, failed: list[tuple[str, str]], all_failed: bool = True) -> None:
        self.outcome.remember(failed)
        self._failures += len(failed) if all_failed else 0
        if self._failures >= self.spec.run.max_consecutive_failures:
            first = self.outcome.failed[0][1]
            raise TooManyFailuresError(f"stopped after {self._failures} failed images in a row; the first: {first}")

    def _count_labels(self, report: LabelReport) -> None:
        if report.damage:
            raise DamagedFileError(report.damage)
        self.outcome.labelled += sum(report.labelled.values())
        self.outcome.failed_labels += sum(report.failed.values())
        self.outcome.remember(list(report.errors.items()))
