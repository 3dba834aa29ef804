"""Run what a sweep lacks: images, their labels, then compaction; the same call resumes whatever was cut short."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb
from rich.console import Console

from fairsweep import builtin
from fairsweep.engine import cluster, sizes
from fairsweep.engine.account import Account, DamagedFileError, TooManyFailuresError
from fairsweep.engine.generate import BatchReport, GeneratorActor
from fairsweep.engine.label import LabelActor
from fairsweep.engine.outcome import Outcome
from fairsweep.engine.texts import TextTask, embedded
from fairsweep.measure import twice
from fairsweep.measure.catalogue import write_catalogue
from fairsweep.plan.decide import decide
from fairsweep.plan.declared import check_classifiers, wanted_attributes
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo, batches, by_model
from fairsweep.spec import LabelSpec, RunSpec, SweepSpec
from fairsweep.store import Store
from fairsweep.store.compact import compact, settle
from fairsweep.store.verify import sift, verify

if TYPE_CHECKING:
    from fairsweep.engine.crew import Crew


class Run:
    """One run of a sweep over a store, on the Ray cluster that is connected."""

    def __init__(self, spec: SweepSpec, store: Store, console: Console):
        self.spec, self.store, self.console = spec, store, console
        self._account = Account(spec, store)
        self.outcome = self._account.outcome
        self._shared_spec: Any = None
        # Who makes images, kept over the rounds: to load a model takes longer than a small round.
        self._generators: Crew | None = None
        self._beside: list = []
        self._run: RunSpec | None = None
        # Images that an earlier round of this run has tried in vain: they are tried again by the next run.
        self._in_vain: list[str] = []
        self._tried = 0
        self._cut_short = False

    def execute(self, limit: int | None = None) -> Outcome:
        """Make and label what is missing, at most `limit` new images; the caller holds the store's lock."""
        sift(self.store)
        check_classifiers(self.spec, self.store)
        for name, shares in builtin.references(model.source for model in self.spec.models):
            self.store.write("references", name, shares)
        try:
            path = self._round(limit)
            while self._decide(path):
                path = self._round(None if limit is None else max(0, limit - self._tried))
        finally:
            self._dismiss()
        compact(self.store, lambda: write_catalogue(self.store), twice=twice.find)
        write_catalogue(self.store)
        return self.outcome

    def _round(self, limit: int | None) -> Path:
        """Make and label what is planned by now, at most `limit` new images; return the plan."""
        path = write_plan(self.spec, self.store)
        try:
            self._work(path, limit)
        except (duckdb.Error, DamagedFileError) as error:
            # A file that is damaged inside, or that somebody removed, shows only when it is read.
            _, damaged = verify(self.store)
            if not damaged and not isinstance(error, duckdb.IOException | DamagedFileError):
                raise
            self._in_vain = []
            self._work(path, limit)
        return path

    def _decide(self, path: Path) -> bool:
        """Write what the last round decided; tell whether anything was. A round that was cut short decides nothing."""
        if self.outcome.stopped or self._cut_short:
            return False
        # A decision stands for ever: it must count no image twice.
        settle(self.store, twice.find)
        decided, refusals = decide(self.spec, self.store, self._encode)
        self.outcome.stopped = "; ".join(refusals) or None
        if not decided or refusals:
            return False
        # By their ids: what is decided late, in a later run, stands among rows of the plan that were there before.
        with Todo(self.store, path) as todo:
            self._in_vain = todo.missing_images()
        return True

    def label(self, plan: Path) -> Outcome:
        """Label the images of a plan that are in the store, made here or not; the caller holds the store's lock."""
        sift(self.store)
        check_classifiers(self.spec, self.store)
        self._label(plan)
        compact(self.store, lambda: write_catalogue(self.store), twice=twice.find)
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
            missing = todo.missing(self._in_vain)
            there = todo.planned - len(missing) - len(self._in_vain)
            self.outcome.planned, self.outcome.there = todo.planned, max(0, there - self.outcome.made)
        rows = missing[:limit]
        self._tried += len(rows)
        self._cut_short = len(rows) < len(missing)
        if not len(rows):
            return
        streams = {f"model {model}": batches(path, own) for model, own in by_model(path, rows).items()}
        self._watch(
            self._makers(len(rows)),
            lambda actor, batch: actor.make.remote(batch, tuple(self._account.left_out)),
            streams,
            "images",
            len(rows),
        )

    def _makers(self, images: int) -> "Crew":
        """Return the actors that make images, with the classifiers' own beside them: those of the rounds before.

        images: how many are to be made, where there are no actors yet.
        """
        if self._generators:
            return self._generators
        run = self._decided()
        if run.classifier_gpus:
            # They keep no batch: Ray itself starts them anew, and the labels that this costs are made up for later.
            generators = sizes.generator_size(run, -(-images // run.batch_size)).actors
            labellers = sizes.beside_size(run, generators)
            self._beside = [self._start(LabelActor, labellers, restarts=-1) for _ in range(labellers.actors)]
        turns, beside = itertools.count(), self._beside

        def start(size: sizes.Size) -> Any:
            # Each generator begins with another label actor, or all would wait for the first one.
            first = next(turns) % max(1, len(beside))
            return self._start(GeneratorActor, size, beside[first:] + beside[:first])

        self._generators = self._crew(start, lambda: sizes.generator_size(run))
        return self._generators

    def _dismiss(self) -> None:
        """End the actors that make images: no round is left, or others need their room."""
        if self._generators:
            self._leave(self._generators)
        _stop(self._beside)
        self._generators, self._beside = None, []

    def _encode(self, model: str, texts: Sequence[str]) -> Any:
        """Return what a model's text encoder makes of texts; None where it cannot be had, which is said."""
        from fairsweep.engine.watch import watched

        task = TextTask(model, tuple(texts))
        arguments = (self._makers(1), lambda actor, task: actor.embed.remote(task), {task.key: iter([task])})
        with watched(*arguments, self.store, self.console, "texts", 1) as (_, events):
            answer = embedded(events)
        if answer.vectors is None:
            said = f"{model}: prompts that name a group are found by words alone, its text encoder cannot be asked"
            self.console.print(f"{said}: {answer.reason}", soft_wrap=True, markup=False)
        return answer.vectors

    def _label(self, path: Path) -> None:
        wanted = {c.name: wanted_attributes(self.spec, c) for c in self.spec.classifiers}
        with Todo(self.store, path) as todo:
            counts = {
                name: todo.count_missing_labels(name, names)
                for name, names in wanted.items()
                if name not in self.outcome.refused_classifiers
            }
            # All that is missing is tried again now: what failed beside the pipeline counts only if it fails here too.
            self.outcome.failed_labels = sum(
                todo.count_missing_labels(name, wanted[name]) for name in self.outcome.refused_classifiers
            )
            if not (total := sum(counts.values())):
                return
            self._dismiss()
            run = self._decided()
            crew = self._crew(lambda size: self._start(LabelActor, size), lambda: sizes.label_size(run))
            try:
                self._watch(
                    crew,
                    lambda actor, task: actor.label_stored.remote(task),
                    {f"classifier {name}": todo.label_tasks(name, wanted[name]) for name in counts if counts[name]},
                    "labels",
                    total,
                )
            finally:
                self._leave(crew)

    def _decided(self) -> RunSpec:
        """Return how the run runs, with what each actor holds of a card: the same until its end."""
        if self._run is None:
            self._run = sizes.decided(self.spec.run)
            for line in sizes.reservations(self.spec.run):
                self.console.print(line, soft_wrap=True, highlight=False)
        return self._run

    def _start(self, kind: type, size: sizes.Size, *more, restarts: int = 0) -> Any:
        import ray

        if self._shared_spec is None:
            # Once for all actors: a spec of many prompts is large.
            self._shared_spec = ray.put(self.spec)
        return cluster.start(kind, size, self._shared_spec, self.store, size.threads, *more, restarts=restarts)

    def _crew(self, start: Callable[[sizes.Size], Any], size: Callable[[], sizes.Size]) -> "Crew":
        from fairsweep.engine.crew import Crew

        return Crew(lambda: start(size()), lambda: size().actors, lambda: size().needs())

    def _leave(self, crew: "Crew") -> None:
        """End the actors of a crew, and keep what there is to be told of them."""
        crew.close()
        self.outcome.places += [place.device for place in crew.arrived]
        self.outcome.losses += crew.places.losses

    def _watch(self, crew: "Crew", call: Callable, streams: dict, what: str, total: int) -> None:
        from fairsweep.engine.watch import watched

        started = time.perf_counter()
        with watched(crew, call, streams, self.store, self.console, what, total) as (progress, events):
            self._account.progress = progress
            for event in events:
                if isinstance(event, BatchReport) and "startup" not in self.outcome.seconds:
                    work = sum(seconds for stage, seconds in event.seconds.items() if stage != "load")
                    self.outcome.spend("startup", max(0.0, time.perf_counter() - started - work))
                self._account.count(event)
        self.outcome.spend(what, time.perf_counter() - started)


def label(spec: LabelSpec, store: Store, plan: Path, console: Console) -> Outcome:
    """Label images that are in the store, made here or not, on the cluster that is connected; see `Run.label`."""
    # The label stage asks a spec for its attributes, its classifiers and its run, which both kinds have.
    return Run(cast(SweepSpec, spec), store, console).label(plan)


def _stop(actors: list) -> None:
    import ray

    for actor in actors:
        ray.kill(actor, no_restart=True)
