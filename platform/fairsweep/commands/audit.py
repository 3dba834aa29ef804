"""The commands that audit a model's components beside its images: audit encoder."""

import typer

from fairsweep.commands.options import DEFAULT_STORE, MostImagesOption, SpecArgument, WrittenStoreOption
from fairsweep.terminal.console import console


def register(app: typer.Typer) -> None:
    """Add the group of commands to the app."""
    group = typer.Typer(help="Audit what a model is made of: its encoder.", no_args_is_help=True)
    group.command()(encoder)
    app.add_typer(group, name="audit")


def encoder(
    spec: SpecArgument, store: WrittenStoreOption = DEFAULT_STORE, most_images: MostImagesOption = None
) -> None:
    """Test what the text and image encoders associate: word and image sets, and each prompt with each group."""
    import torch

    from fairsweep.audits.encoder.audit import audit_encoders
    from fairsweep.spec import load_spec
    from fairsweep.store import Store
    from fairsweep.terminal.findings import store_option

    loaded = load_spec(spec, most_images)
    opened = Store(store)
    with opened.lock():
        report = audit_encoders(loaded, opened, "cuda" if torch.cuda.is_available() else "cpu")
    screen = console()
    for line in report.left_out:
        screen.print(f"left out: {line}", soft_wrap=True, markup=False)
    screen.print(
        f"{loaded.name}: {report.tests:,} tests and {report.similarities:,} similarities of "
        f"{', '.join(report.encoders)}; see `fairsweep measure --metric encoder_tests{store_option(opened)}` and "
        f"`fairsweep measure --metric encoder_association{store_option(opened)}`",
        soft_wrap=True,
        markup=False,
    )
