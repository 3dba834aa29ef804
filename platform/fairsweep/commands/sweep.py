"""The commands that plan and run sweeps: plan, run, status, submit, schema, compact, verify."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fairsweep.commands import completion
from fairsweep.commands.ending import interrupts, resumable
from fairsweep.commands.options import (
    DEFAULT_STORE,
    AddressOption,
    FormatOption,
    MlflowOption,
    ModelOption,
    MostImagesOption,
    SpecArgument,
    StoreOption,
    WrittenStoreOption,
)
from fairsweep.terminal.console import console
from fairsweep.terminal.tables import Format


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (plan, run, suites, status, submit, schema, compact, verify):
        app.command()(command)


def plan(
    spec: SpecArgument,
    model: ModelOption = None,
    store: StoreOption = DEFAULT_STORE,
    most_images: MostImagesOption = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=1e-6, help="Denoiser rows a second of one card: see bench guidance.")
    ] = None,
) -> None:
    """Show what would run: images per cell, what is there already, batches, an estimate of time and card-hours."""
    from fairsweep.store import Store
    from fairsweep.terminal import preview

    preview.show_plan(possible_spec(spec, most_images, model or ()), Store(store), console(), rate)


def run(
    spec: SpecArgument,
    model: ModelOption = None,
    store: WrittenStoreOption = DEFAULT_STORE,
    address: AddressOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Make at most so many new images.")] = None,
    mlflow: MlflowOption = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="Log the sweep to MLflow at the end.")] = True,
    most_images: MostImagesOption = None,
) -> None:
    """Make and label what the store lacks; Ctrl-C stops, the same command resumes."""
    with resumable() as ending:
        elsewhere = address or os.environ.get("RAY_ADDRESS")
        loaded = possible_spec(spec, most_images, model or (), folders=not elsewhere)
        from fairsweep.engine import cluster
        from fairsweep.engine.run import Run
        from fairsweep.store import Store
        from fairsweep.terminal import findings
        from fairsweep.tracking.local import NO_FILE

        opened, screen = Store(store), console()
        if track and not (opened.tracking or mlflow or os.environ.get("MLFLOW_TRACKING_URI")):
            screen.print(f"not logged to MLflow: {NO_FILE}", soft_wrap=True)
            track = False
        try:
            # The store first: another run there is known at once, and a cluster takes its time to start.
            with interrupts(), opened.lock(), cluster.connected(address, loaded.run) as where:
                screen.print(f"Ray: {where}", soft_wrap=True, markup=False)
                outcome = Run(loaded, opened, screen).execute(limit)
        except KeyboardInterrupt:
            ending.tell()
            if track and opened.readable("images"):
                screen.print("logging what is there; Ctrl-C once more leaves that out")
                log(opened, loaded.name, mlflow, screen, status="interrupted", reason="stopped by the user")
            raise
        # Where nothing stopped it, what is there and what is not tells the state.
        status = "failed" if outcome.stopped else None
        logged = log(opened, loaded.name, mlflow, screen, status, outcome.stopped) if track else None
        findings.show(opened, loaded.name, outcome, logged, screen)
    raise typer.Exit(0 if outcome.complete else 1)


def possible_spec(
    path: Path, most_images: int | None, models: Sequence[str] = (), here: bool = True, folders: bool = True
):
    """Return the spec of a file once all is checked that needs no weights: a cluster takes its time to start.

    here: it will run with this machine's packages; folders: on this machine, which no node of a cluster need be.
    """
    from fairsweep.pipelines.names import check_names
    from fairsweep.plan.possible import check_folders, check_possible, steers
    from fairsweep.plan.sources import check_sources
    from fairsweep.spec import load_spec

    spec = load_spec(path, most_images, models)
    check_possible(spec, here)
    check_names(spec.models, guided=steers(spec), edits=spec.images is not None)
    if here:
        check_sources(spec)
        if folders:
            check_folders(spec.models)
    return spec


def log(store, sweep: str, uri: str | None, screen, status: str | None, reason: str | None) -> str | None:
    """Log the sweep to MLflow; a failure there never costs the results, which are in the store."""
    from fairsweep.terminal.findings import store_option
    from fairsweep.tracking import track
    from fairsweep.tracking.addresses import public

    how = f"The results are in the store; log them: fairsweep track --sweep {sweep}{store_option(store)}"
    try:
        with interrupts():
            return track.log_sweep(store, sweep, uri, status=status, reason=reason)
    except KeyboardInterrupt:
        screen.print(f"not logged to MLflow: interrupted. {how}", soft_wrap=True)
        raise
    except Exception as error:
        reason = public(" ".join(str(error).split())) or type(error).__name__
        screen.print(f"not logged to MLflow: {reason}\n{how}", soft_wrap=True)
        return None


def suites(
    name: Annotated[
        str | None, typer.Argument(help="One suite: its file.", show_default=False, autocompletion=completion.suites)
    ] = None,
    format: FormatOption = Format.table,
) -> None:
    """List the suites, specs without a model (`run SUITE --model SOURCE`); images: for each model; NAME: its file."""
    from fairsweep.errors import FairsweepError, near
    from fairsweep.spec import load_spec
    from fairsweep.spec.suites import list_suites
    from fairsweep.terminal.tables import show

    if name is not None:
        paths = {suite.name: suite.path for suite in list_suites()}
        if name not in paths:
            raise FairsweepError(f"there is no suite {name!r}{near(name, paths)}")
        typer.echo(f"# {paths[name]}\n{paths[name].read_text(encoding='utf-8')}", nl=False)
        return
    rows = []
    for suite in list_suites():
        spec = load_spec(suite.path, models=["builtin:portraits"])
        prompts, seeds = len(spec.prompts.expand()), len(spec.seeds)
        rows.append((suite.name, prompts, seeds, prompts * seeds * len(spec.guidance), spec.notes or ""))
    show(["suite", "prompts", "seeds", "images", "notes"], rows, format)


def status(store: StoreOption = DEFAULT_STORE) -> None:
    """Show per sweep and cell: planned, done, labelled, failed."""
    from fairsweep.store import Store
    from fairsweep.terminal import preview

    preview.show_status(Store(store), console())


def submit(
    spec: SpecArgument,
    address: Annotated[str, typer.Option("--address", help="The Ray dashboard, such as http://HEAD:8265.")],
    store: Annotated[
        str,
        typer.Option(
            "--store", envvar="FAIRSWEEP_STORE", help="A bucket, s3://bucket/prefix, or a path that every node sees."
        ),
    ],
    working_dir: Annotated[Path, typer.Option("--working-dir", help="The folder to upload.")] = Path("."),
    most_images: MostImagesOption = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME", help="A variable to pass on; repeatable. HF_TOKEN goes along."),
    ] = None,
) -> None:
    """Run a sweep as a job of a Ray cluster: upload, submit, follow its log, pass its exit status on."""
    from fairsweep.engine.submit import submit_sweep

    loaded = possible_spec(spec, most_images, here=False)
    options = ["--most-images", str(most_images)] if most_images else []
    raise typer.Exit(submit_sweep(loaded, spec, address, store, working_dir, options, env or ()))


def schema() -> None:
    """Print the JSON Schema of a spec, for editors."""
    from fairsweep.spec.schema import spec_schema

    typer.echo(json.dumps(spec_schema(), indent=2))


def compact(store: WrittenStoreOption = DEFAULT_STORE) -> None:
    """Merge the many small files of a store into few."""
    from functools import partial

    from fairsweep.measure import twice
    from fairsweep.measure.catalogue import connect, write_catalogue
    from fairsweep.store import Store
    from fairsweep.store.compact import compact as merge

    opened, find = Store(store), partial(twice.find, whole=True)
    connect(opened).close()
    with opened.lock():
        merged = merge(opened, lambda: write_catalogue(opened), twice=find)
    for folder, count in merged.items():
        typer.echo(f"{folder}: {count} files merged")
    if not merged:
        typer.echo("nothing to merge: the files are few already")


def verify(store: StoreOption = DEFAULT_STORE) -> None:
    """Read every file of a store; set damaged ones aside, so that the next run makes again what they held."""
    from fairsweep.measure.catalogue import write_catalogue
    from fairsweep.store import Store
    from fairsweep.store.verify import verify as read

    opened = Store(store)
    opened.check()
    with opened.lock():
        count, damaged = read(opened)
        if damaged:
            write_catalogue(opened)
    typer.echo(f"{count:,} files read, {len(damaged):,} damaged")
    raise typer.Exit(1 if damaged else 0)
