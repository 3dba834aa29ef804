"""Log a sweep to MLflow: one parent run per sweep, one child per model x setting."""

import io
import json
import logging
import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from fairsweep.errors import FairsweepError, first_line
from fairsweep.measure.metrics import list_metrics
from fairsweep.measure.verdicts import Verdict, overall
from fairsweep.pages import report
from fairsweep.store import Store
from fairsweep.tracking import view
from fairsweep.tracking.addresses import public
from fairsweep.tracking.local import local_uri, prepare
from fairsweep.tracking.logbook import CELL, Cell, Logbook

EXPERIMENT = "fairsweep"

_STATUS = {"running": "RUNNING", "finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
# No helper processes, and nothing told to anyone else.
QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
}
# A server that is away costs a finished sweep seconds, not minutes.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    **QUIET,
}
# What MLflow says of any table with whole numbers and of any folder, in the middle of a sweep's progress.
_NOISE = ("Hint: Inferred schema contains integer column", "The specified dataset source can be interpreted in")


class TrackError(FairsweepError):
    """Report an MLflow server that cannot be logged to; the results themselves are safe in the store."""


def log_sweep(
    store: Store,
    sweep: str,
    uri: str | None = None,
    status: str | None = None,
    reason: str | None = None,
) -> str:
    """Log a sweep, or bring the runs that it has up to date, and return where they can be seen.

    uri: an MLflow server; MLFLOW_TRACKING_URI where silent, else a sqlite file in the store.
    status: "running" | "finished" | "interrupted" | "failed"; told from what is there where silent.
    reason: one line. A sweep's runs are found again by its fingerprint.
    Raises TrackError where MLflow cannot be reached; the store is only read.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or local_uri(store)
    with _reached(store, sweep, uri) as client:
        book = Logbook(store, sweep)
        return _Log(client, book, uri).write(*((status, reason) if status else book.status()))


def comparison(store: Store, sweep: str, uri: str) -> str | None:
    """Return the path within MLflow's pages that compares the cells of a sweep; None while it has none."""
    with _reached(store, sweep, uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return None
        ids = [experiment.experiment_id]
        newest = client.search_runs(ids, "tags.`fairsweep.kind` = 'sweep'", order_by=["attributes.start_time desc"])
        parents = [run for run in newest if run.data.tags["fairsweep.sweep"] == sweep]
        if not parents:
            return None
        return view.path(experiment.experiment_id, parents[0].data.tags["fairsweep.fingerprint"])


@contextmanager
def _reached(store: Store, sweep: str, uri: str) -> Iterator:
    """Yield a client; whatever goes wrong between it and MLflow becomes one line that says what to do."""
    before = {name: os.environ.get(name) for name in _PATIENCE}
    os.environ.update({name: value for name, value in _PATIENCE.items() if before[name] is None})
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        # Each migration of a new file is a line, too, and each failure a traceback, which is told below in a line.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        own = local_uri(store) if store.tracking else None
        if "?" in uri and uri == own:
            raise TrackError(f"MLflow takes no path with a question mark, {store.tracking}: give --mlflow")
        file = store.tracking
        if uri == own and file and file.exists() and not os.access(file, os.W_OK):
            raise TrackError(f"cannot write to {file}: no right to; give --mlflow, or make it writable")
        try:
            if uri == own:
                prepare(store, lambda fresh: MlflowClient(tracking_uri=fresh).search_experiments(max_results=1))
            with warnings.catch_warnings():
                for noise in _NOISE:
                    warnings.filterwarnings("ignore", message=noise)
                yield MlflowClient(tracking_uri=uri)
        except (MlflowException, RequestException, SQLAlchemyError) as error:
            cause = public(first_line(error))[:300]
            message = (
                f"MLflow at {uri} could not be logged to ({cause}). The results are in {store.root}; log them later"
            )
            message += f" with: fairsweep track --sweep {sweep} --store {store.root}"
            raise TrackError(public(message)) from None
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]


class _Log:
    """One pass over a sweep: every step may be repeated and leaves the same runs."""

    def __init__(self, client, book: Logbook, uri: str):
        self.client, self.book, self.uri = client, book, uri
        self.pictures = book.pictures()
        self.experiment = self._experiment()
        # Compared with names here and not in the filter, whose strings take no quote: imported names may hold one.
        mine = f"tags.`fairsweep.fingerprint` = '{book.fingerprint}'"
        self.runs = client.search_runs([self.experiment], mine, max_results=10_000)
        self.tags = {
            "fairsweep.sweep": book.sweep,
            "fairsweep.fingerprint": book.fingerprint,
            **book.origin(),
        }

    def write(self, status: str, reason: str | None) -> str:
        book = self.book
        parent = self._run(book.sweep, {"fairsweep.kind": "sweep"})
        self._params(parent, book.size())
        prompts = "select distinct prompt_name, prompt from planned where sweep = $sweep order by all"
        self._input(parent, "prompts", prompts)
        # The report computes every metric, once for all that follows.
        self._artifacts(parent)
        verdicts = book.verdicts()
        self._note(parent, verdicts, book.skewed())
        self._decided(parent, book.decided())
        for cell in book.cells():
            run = self._cell(parent, cell, status, reason)
            self._decided(run, book.decided(cell))
            self._note(run, [each for each in verdicts if (each.model, each.setting) == tuple(cell.values())])
        self._end(parent, status, reason)
        name, state = view.tag(book.fingerprint, book.attributes())
        self.client.set_experiment_tag(self.experiment, name, state)
        if not self.uri.startswith("http"):
            return public(self.uri.removeprefix("sqlite:///"))
        return f"{public(self.uri).rstrip('/')}/#/experiments/{self.experiment}/runs/{parent}"

    def _cell(self, parent: str, cell: Cell, status: str, reason: str | None) -> str:
        named = {f"fairsweep.{key}": value for key, value in cell.items()}
        identity = {"fairsweep.kind": "cell", "mlflow.parentRunId": parent, **named}
        run = self._run(" · ".join(cell.values()), identity)
        self._params(run, self.book.setting(cell))
        images = f"select image_id, prompt_name, seed from planned where {CELL} order by all"
        self._input(run, "images", images, cell)
        self._metrics(run, self.book.metrics(cell))
        self._table(run, "share.json", f"select * from share where {CELL} order by all", cell)
        self._pictures(run, cell)
        self._end(run, status, reason or self.book.first_error(cell))
        return run

    def _decided(self, run: str, decided: str) -> None:
        if decided:
            self.client.set_tag(run, "fairsweep.decided", decided)

    def _note(self, run: str, verdicts: list[Verdict], skewed: Sequence[str] = ()) -> None:
        """Describe a run: what it had to show and whether it did, then the spec's notes."""
        lines = [f"- **{line}**" for line in skewed]
        if skewed:
            self.client.set_tag(run, "fairsweep.skewed", "; ".join(skewed))
        for each in verdicts:
            where = f"{each.model} / {each.setting}"
            lines.append(f"- **{each.verdict}** {each.requirement}, {where}: {each.evidence}")
        if verdicts:
            self.client.set_tag(run, "fairsweep.required", overall(verdicts))
        lines += ["", self.book.spec.get("notes") or ""]
        self.client.set_tag(run, "mlflow.note.content", "\n".join(lines).strip())

    def _experiment(self) -> str:
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        if experiment:
            self._kind(experiment.experiment_id, experiment.tags)
            return experiment.experiment_id
        artifacts = self.book.store.artifacts
        folder = None if artifacts is None or self.uri.startswith("http") else artifacts.as_uri()
        return self.client.create_experiment(EXPERIMENT, artifact_location=folder, tags=view.KIND)

    def _kind(self, experiment: str, tags: dict[str, str]) -> None:
        """Say what an experiment of before is about, unless somebody has."""
        for name, value in view.KIND.items():
            if name not in tags:
                self.client.set_experiment_tag(experiment, name, value)

    def _run(self, name: str, identity: dict[str, str]) -> str:
        """Return the run of this sweep that has these tags, made if there is none yet."""
        from mlflow.entities import RunTag

        tags = {**identity, "fairsweep.sweep": self.book.sweep}
        runs = [run for run in self.runs if tags.items() <= run.data.tags.items()]
        run = runs[0] if runs else self.client.create_run(self.experiment, run_name=name)
        tags = {**self.tags, **identity}
        changed = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
        self.client.update_run(run.info.run_id, status="RUNNING")
        self.client.log_batch(run.info.run_id, tags=changed)
        return run.info.run_id

    def _end(self, run: str, status: str, reason: str | None) -> None:
        self.client.set_tag(run, "fairsweep.status", status)
        self.client.set_tag(run, "fairsweep.reason", reason or "")
        if status != "running":
            self.client.set_terminated(run, _STATUS[status])

    def _params(self, run: str, params: dict[str, object]) -> None:
        """Log the parameters that the run has not got yet: in MLflow they never change."""
        from mlflow.entities import Param

        before = self.client.get_run(run).data.params
        fresh = [Param(_plain(key), str(value)) for key, value in params.items() if _plain(key) not in before]
        self.client.log_batch(run, params=fresh)

    def _metrics(self, run: str, metrics: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [Metric(_plain(key), value, now, 0) for key, value in metrics.items()]
        for start in range(0, len(values), 1000):
            self.client.log_batch(run, metrics=values[start : start + 1000])

    def _input(self, run: str, name: str, query: str, cell: Cell | None = None) -> None:
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        folder = self.book.store.place.name("plan" if cell is None else "images")
        data = from_pandas(self.book.frame(query, cell), source=folder, name=name)
        tag = InputTag("mlflow.data.context", name)
        self.client.log_inputs(run, [DatasetInput(data._to_mlflow_entity(), [tag])])

    def _table(self, run: str, name: str, query: str, cell: Cell) -> None:
        """Replace a table; MLflow's own log_table would append a resumed sweep's rows to the old ones."""
        table = self.book.frame(query, cell).to_json(orient="split", index=False, date_format="iso")
        self.client.log_text(run, table, name)
        self.client.set_tag(run, "mlflow.loggedArtifacts", json.dumps([{"path": name, "type": "table"}]))

    def _pictures(self, run: str, cell: Cell) -> None:
        logged = {Path(file.path).name.split("+timestamp")[0] for file in self.client.list_artifacts(run, "images")}
        for row in self.pictures:
            key = _plain(row["prompt_name"]).replace("/", " ")
            if cell.items() <= row.items() and f"{key}+step+{row['seed']}" not in logged:
                self.client.log_image(run, Image.open(io.BytesIO(row["png"])), key=key, step=row["seed"])

    def _artifacts(self, run: str) -> None:
        self.client.log_dict(run, self.book.resolved, "spec.json")
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "report.html")
            page.write_text(report.render(self.book.store, [self.book.sweep], self.book.sql), encoding="utf-8")
            self.client.log_artifact(run, str(page))
            for metric in list_metrics(self.book.store.metrics()):
                if "sweep" in self.book.sql.table(metric.name).columns:
                    table = Path(folder, f"{metric.name}.parquet")
                    rows = self.book.relation(f'select * from "{metric.name}" where sweep = $sweep')
                    rows.write_parquet(str(table))
                    self.client.log_artifact(run, str(table), "metrics")


def _plain(key: str) -> str:
    """Keep what MLflow takes in a key."""
    return re.sub(r"[^A-Za-z0-9_./ -]", "_", key)
