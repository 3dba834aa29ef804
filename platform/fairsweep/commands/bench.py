"""The commands that measure speed: bench sweep, bench guidance, bench metrics."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the group of commands to the app."""
    group = typer.Typer(help="Measure speed, as ratios within one run: compare nothing across machines.")
    for command in (sweep, metrics):
        group.command()(command)
    app.add_typer(group, name="bench")


def sweep(
    images: Annotated[int, typer.Option("--images", min=96, help="Images of the loop and of the sweep.")] = 512,
) -> None:
    """Time a guided sweep on the built-in model beside a bare loop and beside one image per call."""
    from fairsweep.bench.sweep import run

    _show(run(images))


def metrics(
    labels: Annotated[int, typer.Option("--labels", min=1000, help="Labels in the synthetic store.")] = 10_000_000,
    threads: Annotated[int, typer.Option("--threads", min=1)] = 2,
) -> None:
    """Time share and summary over a synthetic store of many labels."""
    from fairsweep.bench.metrics import run

    _show(run(labels, threads))


def _show(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        typer.echo(f"{name.replace('_', ' '):28} {value:,.2f}")
