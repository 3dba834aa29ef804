"""Time a guided sweep on the built-in model: one image per call, a bare loop, and the whole of `fairsweep run`."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from fairsweep.engine.generate import Generator
from fairsweep.measure.catalogue import connect
from fairsweep.measure.sql import value
from fairsweep.plan.todo import Batch, Todo, batches
from fairsweep.portraits.defaults import CONCEPTS, FAIR
from fairsweep.shipped import path
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.store import Store


def run(images: int = 512, single: int = 24, busy: int = 0, bucket: str | None = None) -> dict[str, float]:
    """Return images per second of (a) one image per call, (b) a bare loop, (c) a sweep, and (c)'s start-up seconds.

    All make the demo's guided images at its dtype on the device that a sweep takes, a GPU where there is one.
    (a) is diffusers' SemanticStableDiffusionPipeline as Fair Diffusion calls it; (b) this guidance and the
    classifier in the demo's batches, one process without Ray or storage; (c) `fairsweep run`, images and labels
    stored. `single` images are made for (a), `images` for (b), (c). busy: (c) once more, beside so many processes
    that each keep a core busy. bucket: (c) once more into a new store there.
    """
    import torch

    spec = guided_demo(images)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    figures = {"one_per_call": _one_per_call(spec, single, device)}
    with tempfile.TemporaryDirectory() as folder:
        figures["bare_loop"] = _bare_loop(spec, Store(folder), device)
    with tempfile.TemporaryDirectory() as folder:
        figures |= _sweep(spec, Store(folder))
    figures["sweep_over_one_per_call"] = figures["sweep"] / figures["one_per_call"]
    figures["sweep_over_bare_loop"] = figures["sweep"] / figures["bare_loop"]
    if bucket:
        store = Store(f"{bucket}/bench-{uuid4().hex[:12]}")
        try:
            figures["sweep_in_bucket"] = _sweep(spec, store)["sweep"]
        finally:
            store.discard()
        figures["kept_in_bucket"] = figures["sweep_in_bucket"] / figures["sweep"]
    if busy:
        with tempfile.TemporaryDirectory() as folder, _busy(busy):
            figures["sweep_beside_others"] = _sweep(spec, Store(folder))["sweep"]
        figures["kept_beside_others"] = figures["sweep_beside_others"] / figures["sweep"]
    return figures


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep so many cores busy inside the block."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def guided_demo(images: int) -> SweepSpec:
    """Return the demo with its guided setting alone, and as many seeds as make about `images` images."""
    spec = load_spec(path("jobs") / "demo.yaml")
    guidance = tuple(setting for setting in spec.guidance if setting.method == "fair")
    seeds = max(1, round(images / len(spec.prompts.expand())))
    return spec.model_copy(update={"guidance": guidance, "seeds": tuple(range(seeds))})


def _one_per_call(spec: SweepSpec, images: int, device: str) -> float:
    import diffusers
    import torch

    from fairsweep.pipelines import load

    model, concepts = spec.models[0], list(CONCEPTS["gender"].values())
    prompts = [prompt.text for prompt in spec.prompts.expand()]
    stock = load(model, device).pipe
    parts = {name: part for name, part in stock.components.items() if name != "image_encoder"}
    pipe = diffusers.SemanticStableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)

    def draw(count: int) -> None:
        for number in range(count):
            pipe(
                prompts[number % len(prompts)],
                generator=torch.Generator().manual_seed(number),
                num_inference_steps=model.steps,
                guidance_scale=model.guidance_scale,
                editing_prompt=concepts,
                reverse_editing_direction=[False, True],
                edit_guidance_scale=FAIR["scale"],
                edit_threshold=FAIR["threshold"],
                edit_warmup_steps=FAIR["warmup_steps"],
                edit_cooldown_steps=FAIR["cooldown_steps"],
                edit_momentum_scale=FAIR["momentum_scale"],
                edit_mom_beta=FAIR["momentum_beta"],
            )

    draw(2)
    started = time.perf_counter()
    draw(images)
    return images / (time.perf_counter() - started)


def _bare_loop(spec: SweepSpec, store: Store, device: str) -> float:
    from fairsweep.engine.label import Labellers

    generator, labellers = Generator(spec, device), Labellers(spec, store, device)
    made = 0
    started = time.perf_counter()
    for number, batch in enumerate(_batches(spec, store)):
        if number == 0:
            generator.load(batch.model)
        images, prompts, _ = generator.make(batch)
        labellers.label(images, [row["image_id"] for row in batch.rows], prompts)
        if number == 0:
            # The first batch warms up and does not count.
            started = time.perf_counter()
        else:
            made += len(images)
    return made / (time.perf_counter() - started)


def _batches(spec: SweepSpec, store: Store) -> Iterator[Batch]:
    from fairsweep.plan.plan import write_plan

    plan = write_plan(spec, store)
    with Todo(store, plan) as todo:
        rows = todo.missing()
    return batches(plan, rows)


def _sweep(spec: SweepSpec, store: Store) -> dict[str, float]:
    from rich.console import Console

    from fairsweep.engine.cluster import connected
    from fairsweep.engine.run import Run

    started = time.perf_counter()
    with store.lock(), connected(None):
        outcome = Run(spec, store, Console(quiet=True)).execute()
        seconds = time.perf_counter() - started
    # From the first batch stored to the last: what came before the first is start-up, its own batch included.
    with connect(store) as connection:
        working = (
            value(connection.execute("select date_diff('microsecond', min(created), max(created)) from images")) / 1e6
        )
    return {
        "sweep": (outcome.made - spec.run.batch_size) / working,
        "start_up_seconds": seconds - working,
        "images": outcome.made,
    }
