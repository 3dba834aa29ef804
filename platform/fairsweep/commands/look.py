"""The commands that show results: show, report, explore, ui, track."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fairsweep.commands import completion, paths
from fairsweep.commands.options import DEFAULT_STORE, HeadlessOption, PortOption, StoreOption, SweepOption


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (show, report, explore, ui, track):
        app.command()(command)


def show(
    prompt: Annotated[str, typer.Option("--prompt", help="A prompt's name, such as firefighter, or its text.")],
    output: Annotated[Path, typer.Option("-o", "--output", callback=paths.new_picture, help="The file.")] = Path(
        "grid.png"
    ),
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds to show.")] = 8,
    sweep: SweepOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write a grid of pictures: the same seeds, unguided above guided."""
    from fairsweep.measure.catalogue import connect
    from fairsweep.pages import pictures
    from fairsweep.store import Store, sweeps

    opened = Store(store)
    connection = connect(opened)
    pictures.grid(opened, connection, sweeps.choose(opened, sweep), prompt, seeds).save(output)
    typer.echo(output)


def report(
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="The sweep's name; repeatable: side by side. Silent: the one planned last.",
            autocompletion=completion.sweeps,
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", callback=paths.new_file, help="The file.")] = Path(
        "report.html"
    ),
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of a sweep, or of several side by side: one HTML file that needs no network."""
    from fairsweep.pages.report import write
    from fairsweep.store import Store

    typer.echo(write(Store(store), sweep or (), output))


def explore(port: PortOption = 2718, headless: HeadlessOption = False, store: StoreOption = DEFAULT_STORE) -> None:
    """Look into the store in the browser: shares, pictures, SQL over every view."""
    from fairsweep.pages import explorer, key, serve

    app, word = explorer.app(store), key.of_this_user()
    port = serve.free_port(port)
    address = f"http://{serve.HOST}:{port}/?{key.PARAMETER}={word}"

    def announce() -> None:
        typer.echo(f"Explorer: {address}")
        if not headless:
            typer.launch(address)

    serve.here(key.Guard(app, word), port, announce)


def ui(
    port: PortOption = 5000,
    headless: HeadlessOption = False,
    sweep: SweepOption = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Start MLflow's pages over the store's own runs, and print where a sweep's runs are compared."""
    from fairsweep.errors import FairsweepError
    from fairsweep.pages import serve
    from fairsweep.store import Store, sweeps
    from fairsweep.tracking import local, track

    opened = Store(store)
    name = sweeps.choose(opened, sweep)
    uri = local.local_uri(opened)
    path = track.comparison(opened, name, uri) if opened.tracking and opened.tracking.exists() else None
    if path is None:
        how = f"fairsweep track --sweep {name} --store {store}"
        raise FairsweepError(f"no run of {name!r} is logged yet: log them with `{how}`")
    port = serve.free_port(port)
    address = f"http://{serve.HOST}:{port}/"

    def announce() -> None:
        typer.echo(f"MLflow: {address}\nCompare the settings of {name}: {address}{path}")
        if not headless:
            typer.launch(address + path)

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    command += ["--host", serve.HOST, "--port", str(port), "--uvicorn-opts", "--log-level warning"]
    serve.run(command, port, announce, env=track.QUIET)


def track(
    sweep: SweepOption = None,
    mlflow: Annotated[
        str | None,
        typer.Option("--mlflow", envvar="MLFLOW_TRACKING_URI", help="An MLflow server; else the store."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Log a sweep to MLflow, or bring the runs that it has there up to date."""
    from fairsweep.store import Store, sweeps
    from fairsweep.tracking.track import log_sweep

    opened = Store(store)
    typer.echo(log_sweep(opened, sweeps.choose(opened, sweep), mlflow))
