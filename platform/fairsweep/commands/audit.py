"""The commands that audit what a model is made of: audit data, audit encoder, and audit SPEC, which is all of it."""

from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from fairsweep.commands.ending import resumable
from fairsweep.commands.options import (
    DEFAULT_STORE,
    AddressOption,
    MlflowOption,
    ModelOption,
    MostImagesOption,
    SpecArgument,
    WrittenStoreOption,
)
from fairsweep.terminal.console import console

_ALL = "all"


class _OrSpec(TyperGroup):
    """Take `audit SPEC` for `audit all SPEC`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = not args or args[0].startswith("-") or args[0] in self.commands
        return super().resolve_command(ctx, args if known else [_ALL, *args])


def register(app: typer.Typer) -> None:
    """Add the group of commands to the app."""
    group = typer.Typer(
        help="Audit what a model is made of: its training data, its encoder, and its pictures.",
        cls=_OrSpec,
        no_args_is_help=True,
    )
    group.command(_ALL)(everything)
    for command in (data, encoder):
        group.command()(command)
    app.add_typer(group, name="audit")


def everything(
    spec: SpecArgument,
    model: ModelOption = None,
    store: WrittenStoreOption = DEFAULT_STORE,
    address: AddressOption = None,
    mlflow: MlflowOption = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="Log the audits to MLflow at the end.")] = True,
    most_images: MostImagesOption = None,
) -> None:
    """Audit the training data (where the spec names any), the encoder and the pictures; `audit SPEC` for short."""
    from fairsweep.audits.data import audit
    from fairsweep.audits.data.sweep import data_sweep
    from fairsweep.commands import sweep
    from fairsweep.spec import load_spec
    from fairsweep.store import Store
    from fairsweep.terminal.findings import store_option

    loaded = load_spec(spec, most_images, model or ())
    if loaded.data:
        audit.check(loaded)
    with resumable():
        complete = not loaded.data or _data(loaded, store, address)
        _encoder(loaded, store, address)
        opened = Store(store)
        if loaded.data and track:
            sweep.log(opened, data_sweep(loaded), mlflow, console(), None, None)
        done = f"fairsweep sql{store_option(opened)} \"from components where sweep = '{loaded.name}'\""
        try:
            sweep.run(spec, model, store, address, mlflow=mlflow, track=track, most_images=most_images)
        except typer.Exit as end:
            if end.exit_code != 130:
                _say(console(), f"Data, encoder and pictures side by side: {done}")
            raise typer.Exit(end.exit_code or int(not complete)) from None


def data(
    spec: SpecArgument,
    model: ModelOption = None,
    store: WrittenStoreOption = DEFAULT_STORE,
    address: AddressOption = None,
    most_images: MostImagesOption = None,
) -> None:
    """Match training data to the prompts, and label what matches as a sweep's images are; the same command resumes."""
    from fairsweep.audits.data import audit
    from fairsweep.spec import load_spec

    loaded = load_spec(spec, most_images, model or ())
    audit.check(loaded)
    with resumable():
        complete = _data(loaded, store, address)
    raise typer.Exit(0 if complete else 1)


def encoder(
    spec: SpecArgument,
    model: ModelOption = None,
    store: WrittenStoreOption = DEFAULT_STORE,
    address: AddressOption = None,
    most_images: MostImagesOption = None,
) -> None:
    """Test what the text and image encoders associate: word and image sets, and each prompt with each group."""
    from fairsweep.spec import load_spec

    loaded = load_spec(spec, most_images, model or ())
    with resumable():
        _encoder(loaded, store, address)


def _data(loaded, store, address: str | None) -> bool:
    """Audit training data and tell whether everything that matched is labelled."""
    from fairsweep.audits.data import audit
    from fairsweep.engine import cluster
    from fairsweep.store import Store

    opened, screen = Store(store), console()
    with opened.lock(), cluster.connected(address, loaded.run):
        report = audit.audit_data(loaded, opened, screen)
    for line in report.lines(loaded):
        _say(screen, line)
    return report.outcome.complete


def _encoder(loaded, store, address: str | None) -> None:
    from fairsweep.audits.encoder.audit import EncoderAudit
    from fairsweep.audits.encoder.embed import embed
    from fairsweep.engine import cluster
    from fairsweep.store import Store
    from fairsweep.terminal.findings import store_option

    opened, screen = Store(store), console()
    with opened.lock():
        # What can be wrong with the stimuli is known before there is a cluster.
        audit = EncoderAudit(loaded, opened)
        with cluster.connected(address, loaded.run):
            embeddings = embed(audit.tasks(), loaded.run, opened, screen)
        report = audit.write(each for part in embeddings for each in part)
    for line in report.left_out:
        _say(screen, f"left out: {line}")
    _say(
        screen,
        f"{loaded.name}: {report.tests:,} tests and {report.similarities:,} similarities of "
        f"{', '.join(report.encoders)}; see `fairsweep measure --metric encoder_tests{store_option(opened)}` and "
        f"`fairsweep measure --metric encoder_association{store_option(opened)}`",
    )


def _say(screen: Console, line: str) -> None:
    screen.print(line, soft_wrap=True, markup=False, highlight=False)
