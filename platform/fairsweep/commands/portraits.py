"""The commands of the built-in world: portraits render, train, evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from fairsweep.commands import paths


def register(app: typer.Typer) -> None:
    """Add the group of commands to the app."""
    group = typer.Typer(help="The built-in calibration world: its portraits, its models, their figures.")
    for command in (render, train, evaluate):
        group.command()(command)
    app.add_typer(group, name="portraits")


def render(
    output: Annotated[Path, typer.Option("-o", "--output", callback=paths.new_folder, help="The folder to write.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many portraits.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed draws the same portraits.")] = 0,
) -> None:
    """Write portraits with captions and true attributes as Parquet: the training data's side of an audit."""
    from fairsweep.portraits.dataset import write_dataset

    paths = write_dataset(output, n, seed)
    typer.echo(f"{n} portraits in {len(paths)} files: {output}")


def train(
    output: Annotated[
        Path, typer.Option("-o", "--output", callback=paths.new_folder, help="Where the models are written.")
    ],
    work: Annotated[
        Path, typer.Option("--work", callback=paths.new_folder, help="Where portraits and checkpoints are kept.")
    ] = Path("portraits-training"),
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:1.")] = "cpu",
    effort: Annotated[
        float, typer.Option("--effort", min=0.001, help="A factor on the numbers of training steps.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Train the built-in models from scratch; the same command goes on where it was stopped."""
    from dataclasses import fields, replace

    from fairsweep.portraits.training.run import Recipe, train_models
    from fairsweep.terminal.console import console

    _check_device(device)
    recipe = Recipe(seed=seed)
    steps = {
        f.name: max(1, round(effort * getattr(recipe, f.name))) for f in fields(Recipe) if f.name.endswith("_steps")
    }
    train_models(work, output, replace(recipe, **steps), console(), device)


def _check_device(device: str) -> None:
    import torch

    from fairsweep.errors import FairsweepError

    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or not (index or "0").isdigit():
        raise FairsweepError(f"--device {device}: expected cpu, cuda or cuda:1")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise FairsweepError(f"--device {device}: this machine has {torch.cuda.device_count()} CUDA devices")


def evaluate(
    folder: Annotated[
        Path | None,
        typer.Option("--models", help="The folder of trained models; the shipped ones if silent."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", callback=paths.new_folder, help="Where figures.json goes; silent: beside the models."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=4, help="Seeds per occupation and guidance scale.")] = 256,
    portraits: Annotated[int, typer.Option("--portraits", min=100, help="Held-out portraits to read.")] = 5_000,
) -> None:
    """Measure the models against what was planted; write the figures and the model cards."""
    import json

    from fairsweep.errors import FairsweepError
    from fairsweep.portraits.cards import write_cards
    from fairsweep.portraits.defaults import WEIGHTS
    from fairsweep.portraits.evaluate import evaluate as measure
    from fairsweep.portraits.reader import Reader
    from fairsweep.portraits.sheet import checked_by_eye, draw_sheet
    from fairsweep.portraits.studio import Studio
    from fairsweep.terminal.console import console

    screen = console()
    folder = folder or WEIGHTS
    for part in ("pipeline", "clip"):
        if not (folder / part).is_dir():
            raise FairsweepError(f"{folder} holds no {part}: name a folder that `fairsweep portraits train` wrote")
    drawn = 0

    def advance(n: int) -> None:
        nonlocal drawn
        drawn += n
        if drawn % 1024 < n:
            screen.print(f"  {drawn} images drawn")

    studio = Studio(folder / "pipeline", advance)
    output = output or folder
    output.mkdir(parents=True, exist_ok=True)
    screen.print("contact sheet")
    draw_sheet(studio, Reader(folder / "clip"), output / "sheet.jpg")
    figures = measure(folder, seeds, portraits, screen.print, studio) | {"by_eye": checked_by_eye(output)}
    (output / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for path in write_cards(figures, output):
        screen.print(f"written: {path}")
