"""The options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from fairsweep.terminal.tables import Format

SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", help="The sweep's YAML file.", show_default=False)]
MostImagesOption = Annotated[
    int | None,
    typer.Option("--most-images", min=1, help="How many images the spec may plan; silent: a million."),
]
StoreOption = Annotated[Path, typer.Option("--store", envvar="FAIRSWEEP_STORE", help="The folder of the results.")]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="The Ray cluster to join; silent: one on this machine.")
]
DEFAULT_STORE = Path("fairsweep-store")
SweepOption = Annotated[str | None, typer.Option("--sweep", help="The sweep's name; the one planned last if silent.")]
PortOption = Annotated[int, typer.Option("--port", help="The port to try first.")]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="Open no browser.")]
GroupsOption = Annotated[
    list[str] | None,
    typer.Option("--groups", help="An attribute's declared groups, such as gender=female,male.", show_default=False),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
