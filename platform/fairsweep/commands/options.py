"""The options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from fairsweep.commands import completion, paths
from fairsweep.terminal.tables import Format

SpecArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC",
        help="The sweep's YAML file, or a suite's name.",
        show_default=False,
        autocompletion=completion.specs,
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="SOURCE",
        help="A model of a spec that names none: a Hub id, a folder, builtin:portraits; repeatable.",
        show_default=False,
    ),
]
MostImagesOption = Annotated[
    int | None,
    typer.Option("--most-images", min=1, help="How many images the spec may plan; silent: a million."),
]
_STORE = {"envvar": "FAIRSWEEP_STORE", "help": "The results: a folder, or a bucket such as s3://bucket/prefix."}
StoreOption = Annotated[str, typer.Option("--store", callback=paths.store, **_STORE)]
WrittenStoreOption = Annotated[str, typer.Option("--store", callback=paths.new_store, **_STORE)]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="The Ray cluster to join, or auto; silent: one of its own here.")
]
MlflowOption = Annotated[
    str | None, typer.Option("--mlflow", help="Where runs are logged; silent: MLFLOW_TRACKING_URI or the store.")
]
DEFAULT_STORE = "fairsweep-store"
SweepOption = Annotated[
    str | None,
    typer.Option("--sweep", help="The sweep's name; the one planned last if silent.", autocompletion=completion.sweeps),
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to try first; 0: any free one.")]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="Open no browser.")]
GroupsOption = Annotated[
    list[str] | None,
    typer.Option("--groups", help="An attribute's declared groups, such as gender=female,male.", show_default=False),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
