"""Each class that sweeps know: a sweep stopped in its middle and resumed makes the pictures of one that ran through.

An actor's own code loads, makes and stores, in this process. What is left is cut into other batches, and an actor that
has loaded the model anew makes them.
"""

import asyncio
import gc
import io
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fairsweep.engine import cluster
from fairsweep.engine.generate import GeneratorActor
from fairsweep.families import EDITORS, FAMILIES, REFUSED
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo, batches
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from support import editors, tiny, zoo

# Without a threshold: a value on the edge of one falls to either side by rounding alone.
STRONG = {"method": "fair", "scale": 20.0, "threshold": 0.0, "warmup_steps": 0.25}


BUILD = {
    "StableDiffusionPipeline": tiny.build_sd,
    "StableDiffusionXLPipeline": tiny.build_sdxl,
    "FluxPipeline": tiny.build_flux,
    **editors.BUILD,
}


def spec_of(name, folder, pictures) -> dict:
    """Return the data of a small sweep of a class: prompts of two lengths, unguided and guided where it can be."""
    side = zoo.ZOO[name][1]["width"] if name in zoo.ZOO else 32
    model = {"name": "m", "source": str(folder), "steps": 4, "guidance_scale": 4.0, "width": side, "height": side}
    data = {
        "name": "resumed",
        "models": [model],
        "prompts": {"texts": ["a nurse", "a photo of the face of a teacher with a person"]},
        "attributes": {"gender": {"groups": {"female": "female person", "male": "male person"}}},
        "guidance": [{"method": "none"}] + ([] if name in REFUSED else [STRONG]),
        "classifiers": [{"name": "pixels", "kind": "pixels:Pixels"}],
        "seeds": 2,
    }
    if name in editors.BUILD:
        model |= {"strength": 0.7} if EDITORS[name] else {}
        data |= {"images": str(pictures), "seeds": 1}
    return data


class Sweep:
    """One sweep over one store, cut into batches of a size of its own."""

    def __init__(self, data: dict, store: Store, batch_size: int):
        self.spec = SweepSpec.model_validate(data | {"run": {"batch_size": batch_size}})
        self.store = store
        self._plan = write_plan(self.spec, store)

    def actor(self) -> GeneratorActor:
        """Return an actor of this sweep that has loaded its model."""
        actor = GeneratorActor(self.spec, self.store, 1)
        actor._generator.load("m")
        zoo.shortened(actor._generator._pipeline.pipe)
        return actor

    def make(self, actor: GeneratorActor, stop: int | None = None) -> int:
        """Make and store what is missing, at most `stop` batches; return how many images."""
        with Todo(self.store, self._plan) as todo:
            missing = todo.missing()
        reports = [asyncio.run(actor.make(batch)).report for batch in islice(batches(self._plan, missing), stop)]
        assert not any(report.failed for report in reports)
        return sum(report.made for report in reports)


def pictures_of(store: Store) -> dict[str, np.ndarray]:
    """Return the pictures of a store by their ids; each is there once."""
    table = pq.read_table(Path(store.root) / "images", columns=["image_id", "image"])
    rows = table.to_pylist()
    assert len({row["image_id"] for row in rows}) == len(rows)
    return {row["image_id"]: np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])), int) for row in rows}


@pytest.fixture(scope="module")
def connected(ray_cluster):
    # Before it loads a model an actor has Python look for garbage: in all that the tests have imported.
    gc.freeze()
    with cluster.connected(ray_cluster):
        yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return a folder of two pictures of smooth noise."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(2):
        editors.noise(seed).save(folder / f"{seed}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_resumed_sweep_makes_the_same_pictures(name, connected, pictures, tmp_path, monkeypatch):
    """The same ids, and pictures within two levels of 255: sums are taken in another order in another batch."""
    editors.small_areas(monkeypatch)
    (BUILD[name]() if name in BUILD else zoo.build(name)).save_pretrained(tmp_path / "model")
    data = spec_of(name, tmp_path / "model", pictures)
    total = 4 if name in REFUSED else 8
    through = Sweep(data, Store(tmp_path / "through"), batch_size=total)
    assert through.make(through.actor()) == total
    stopped = Sweep(data, Store(tmp_path / "stopped"), batch_size=3)
    assert stopped.make(stopped.actor(), stop=1) == 3
    resumed = Sweep(data, Store(tmp_path / "stopped"), batch_size=2)
    assert resumed.make(resumed.actor()) == total - 3
    wanted, found = pictures_of(through.store), pictures_of(resumed.store)
    assert found.keys() == wanted.keys() and len(wanted) == total
    for image_id, picture in found.items():
        distances = {other: abs(picture - wanted[other]) for other in wanted}
        assert distances[image_id].max() <= 2
        # Pictures of these weights differ little at times, and it is nearest to its own all the same.
        assert min(distances, key=lambda other: distances[other].sum()) == image_id
