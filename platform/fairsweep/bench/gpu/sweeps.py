"""Whole sweeps of the demo on a card: one that actors share, one whose energy is counted, one whose context dies."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairsweep.bench.gpu.card import Card
from fairsweep.bench.gpu.part import Verdict, verdict

# The device of an actor that dies once, as after an illegal access: an index out of range on the card.
_DYING = """
import os
from pathlib import Path

import torch

from fairsweep.engine.device import Cuda
from fairsweep.pipelines.pipeline import Pipeline


class Dying(Cuda):
    def open(self):
        denoise, sign = Pipeline.denoise, Path(os.environ["DYING_ONCE"])

        def dying(*arguments):
            if not sign.exists():
                sign.touch()
                torch.zeros(4, device="cuda")[torch.tensor([99], device="cuda")].sum().item()
            return denoise(*arguments)

        Pipeline.denoise = dying
        return super().open()
"""


def shared_card(card: Card) -> Verdict:
    """A sweep by two actors on one card is complete, on that card; and how long one actor alone takes."""
    figures, alone = _swept(actors=2, share=0.5), _swept(actors=1, share=1)
    figures["seconds_alone"] = alone["seconds"]
    return verdict(figures["complete"] and figures["on_card"]), figures


def counted(card: Card) -> Verdict:
    """The energy of each image is known where an actor has a card to itself."""
    figures = _swept(actors=1, share=1)
    return verdict(all(joules for joules in figures["joules_an_image"])), figures


def dying(card: Card) -> Verdict:
    """An actor whose context dies makes way for another, and the sweep loses nothing."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "dying.py").write_text(_DYING)
        sign = Path(folder, "died")
        paths = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        with _set(FAIRSWEEP_DEVICE="dying:Dying", DYING_ONCE=str(sign), PYTHONPATH=paths):
            figures = _swept(actors=1, share=1)
        figures["died"] = sign.exists()
    return verdict(figures["complete"] and figures["on_card"] and figures["died"]), figures


@contextmanager
def _set(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ |= variables
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _swept(actors: int, share: float) -> dict[str, Any]:
    """Return how a short sweep of the demo by so many actors, each with so much of a card, came out."""
    from rich.console import Console

    from fairsweep.engine.cluster import connected
    from fairsweep.engine.run import Run
    from fairsweep.measure.catalogue import connect
    from fairsweep.shipped import path
    from fairsweep.spec import RunSpec, load_spec
    from fairsweep.store import Store

    run = RunSpec(batch_size=16, actors=actors, gpus_per_actor=share, cpus_per_actor=1)
    spec = load_spec(path("jobs") / "demo.yaml").model_copy(update={"seeds": tuple(range(8)), "run": run})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        with store.lock(), connected(None, run):
            started = time.monotonic()
            outcome = Run(spec, store, Console(quiet=True)).execute()
            seconds = time.monotonic() - started
        with connect(store) as connection:
            cost = connection.execute("select joules_per_image, energy from cost").fetchall()
    return {
        "complete": outcome.complete,
        "on_card": bool(outcome.places) and all("gpu 0" in place for place in outcome.places),
        "seconds": seconds,
        "made": outcome.made,
        "labelled": outcome.labelled,
        "failed": [why for _, why in outcome.failed],
        "joules_an_image": [joules for joules, _ in cost],
        "energy": sorted({why for _, why in cost if why}),
    }
