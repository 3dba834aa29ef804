"""The commands that measure: the group `bench`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the group of commands to the app."""
    group = typer.Typer(help="Measure speed, as ratios within one run: compare nothing across machines.")
    for command in (
        sweep,
        dispatch,
        driver,
        guidance,
        metrics,
        report,
        store,
        explore,
        coverage,
        calibration,
        audit,
        embedding,
        gpu,
    ):
        group.command()(command)
    app.add_typer(group, name="bench")


def sweep(
    images: Annotated[int, typer.Option("--images", min=96, help="Images of the loop and of the sweep.")] = 512,
    busy: Annotated[
        int, typer.Option("--busy", min=0, help="Sweep once more beside so many processes that are busy.")
    ] = 0,
    bucket: Annotated[
        str | None, typer.Option("--bucket", help="Sweep once more into a bucket, s3://bucket/prefix, and remove that.")
    ] = None,
) -> None:
    """Time a guided sweep on the built-in model beside a bare loop and beside one image per call."""
    from fairsweep.bench.sweep import run

    _show(run(images, busy=busy, bucket=bucket))


def dispatch(
    actors: Annotated[int, typer.Option("--actors", min=1)] = 256,
    batches: Annotated[int, typer.Option("--batches", min=1, help="For each actor.")] = 10,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="That an actor waits for a batch.")] = 1.0,
) -> None:
    """Time the hand-out of batches to actors that only wait: how much of their time is used."""
    from fairsweep.bench.dispatch import run

    _show(run(actors, batches, seconds))


def driver(
    images: Annotated[int, typer.Option("--images", min=100, help="Images of the run.")] = 100_000,
) -> None:
    """Measure the memory of a run's driver over many images, made by actors that write without a model."""
    from fairsweep.bench.driver import run

    _show(run(images))


def guidance(
    architecture: Annotated[
        str, typer.Argument(help="portraits, sd15, sdxl, sd3-medium or flux-dev; random weights.")
    ] = "portraits",
    batch: Annotated[int, typer.Option("--batch", min=1)] = 16,
    steps: Annotated[int, typer.Option("--steps", min=1)] = 20,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="The fastest of so many calls counts.")] = 5,
    option: Annotated[list[str] | None, typer.Option("--option", help="Measure its gain too; repeatable.")] = None,
    size: Annotated[int | None, typer.Option("--size", min=8, help="Pixels per side.")] = None,
    depth: Annotated[
        float, typer.Option("--depth", min=0.01, max=1.0, help="Fraction of a transformer's layers.")
    ] = 1.0,
    dtype: Annotated[str | None, typer.Option("--dtype", help="As in a spec; silent: float16 on a GPU.")] = None,
) -> None:
    """Time the guidance wrapper beside the stock pipeline and diffusers' Semantic Guidance."""
    from fairsweep.bench.guidance import run

    _show(run(architecture, batch, steps, repeats, option or (), size, depth, dtype=dtype))


def metrics(
    labels: Annotated[int, typer.Option("--labels", min=1000, help="Labels in the synthetic store.")] = 10_000_000,
    threads: Annotated[int, typer.Option("--threads", min=1)] = 2,
    view: Annotated[list[str] | None, typer.Option("--view", help="Only this view by itself; repeatable.")] = None,
) -> None:
    """Time share and summary over a synthetic store of many labels, and every view by itself with its memory."""
    from fairsweep.bench.metrics import run

    _show(run(labels, threads, views=view))


def report(
    settings: Annotated[int, typer.Option("--settings", min=2)] = 200,
    prompts: Annotated[int, typer.Option("--prompts", min=1)] = 20,
    seeds: Annotated[int, typer.Option("--seeds", min=16, help="A multiple of 16.")] = 64,
) -> None:
    """Time the report of a sweep of many settings, with its memory; without pictures."""
    from fairsweep.bench.report import run

    _show(run(settings, prompts, seeds))


def store(
    images: Annotated[int, typer.Option("--images", min=1000, help="Planned images.")] = 1_000_000,
    shards: Annotated[int, typer.Option("--shards", min=1, help="Small files, before they are merged.")] = 20_000,
) -> None:
    """Time what a large store is asked, with the memory: what is there, what is missing, the summary."""
    from fairsweep.bench.store import run

    _show(run(images, shards))


def explore(
    labels: Annotated[int, typer.Option("--labels", min=5000, help="Labels in the synthetic store.")] = 1_000_000,
    size: Annotated[int, typer.Option("--size", min=1, help="Pairs of pictures on a page.")] = 24,
) -> None:
    """Time the explorer's screens over a store of many labels, with the bytes of pictures read and the memory."""
    from fairsweep.bench.explore import run

    _show(run(labels, size))


def coverage(
    full: Annotated[bool, typer.Option("--full", help="The whole grid instead of a few worlds.")] = False,
    prompts: Annotated[int, typer.Option("--prompts", min=60, help="Prompts drawn of each world.")] = 4_000,
    results: Annotated[
        Path | None, typer.Option("--results", help="Keep each world in this file; go on from it.")
    ] = None,
) -> None:
    """Count how often intervals hold the truth and tests reject it, over simulated models.

    The worlds where a figure is at its worst and at its best are drawn a second time, five times as often, and what is
    lowest and highest is told from those draws alone.
    """
    from fairsweep.bench.coverage.run import extremes, run
    from fairsweep.bench.coverage.table import table
    from fairsweep.bench.coverage.world import few, grid

    first = run(grid() if full else few(), prompts, 1, results)
    again = run(extremes(first), 5 * prompts, 2, results)
    typer.echo(table(first, again))


def calibration(
    case: Annotated[
        list[str] | None, typer.Option("--case", help="Only this target, such as half; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=8)] = 250,
    pilot: Annotated[int, typer.Option("--pilot", min=4, help="Images steered to each group, at each scale.")] = 32,
    steps: Annotated[int, typer.Option("--steps", min=2)] = 5,
    results: Annotated[
        Path | None, typer.Option("--results", help="Keep the images in this store; go on from it.")
    ] = None,
) -> None:
    """Count how far calibrated guidance misses its targets on the built-in model, beside plain quotas and chance.

    The calibration of a classifier that misreads on purpose is measured with `fairsweep calibrate`.
    """
    from fairsweep.bench.calibration import run

    typer.echo(run(case or (), seeds, pilot, steps, results))


def audit(
    rows: Annotated[int, typer.Option("--rows", min=1000, help="Embeddings of 512 dimensions.")] = 1_000_000,
    prompts: Annotated[int, typer.Option("--prompts", min=1)] = 150,
    k: Annotated[int, typer.Option("--nearest", min=1, help="How many of the nearest of each prompt.")] = 250,
    threads: Annotated[int, typer.Option("--threads", min=1)] = 2,
) -> None:
    """Time the search of a data audit beside plain NumPy and faiss, with the memory."""
    from fairsweep.bench.audit import run

    _show(run(rows, prompts, k, threads))


def embedding(
    portraits: Annotated[int, typer.Option("--portraits", min=1000, help="Pictures in the Parquet files.")] = 20_000,
) -> None:
    """Time how a data audit embeds pictures, from Parquet into its index, beside the model alone."""
    from fairsweep.bench.embedding import run

    _show(run(portraits))


def gpu(
    seconds: Annotated[float, typer.Option("--seconds", min=30, help="What there is no time for is left out.")] = 480,
    only: Annotated[list[str] | None, typer.Option("--only", help="Parts whose names hold this; repeatable.")] = None,
) -> None:
    """Prove or refute on a card what no CPU can show, a line of JSON each; weights are random, of real size."""
    from fairsweep.bench.gpu import run

    run(lambda finding: typer.echo(finding.line()), seconds, only=only or ())


def _show(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        typer.echo(f"{name.replace('_', ' '):28} {value:,.2f}")
