"""Stores whose images are labels alone, drawn with known shares, so that whole sweeps in rounds take seconds."""

import itertools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from fairsweep.measure.catalogue import connect
from fairsweep.plan.decide import decide
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
from fairsweep.store import Store

_PART = 40
GENDER = {"gender": {"groups": {"female": "female person", "male": "male person"}}}


class World:
    """A store whose images are labels alone: female where the seed's own number says so."""

    def __init__(self, root, shares: dict[str, float | None], missing: dict[str, str] | None = None):
        Path(root).mkdir(exist_ok=True)
        self.store, self.shares, self.missing = Store(root), shares, missing or {}
        with connect(self.store) as connection:
            there = connection.execute("select image_id from labels").fetchall()
        self.labelled = {image_id for (image_id,) in there}

    def label(self, plan) -> int:
        """Label what is new in a plan; return how many that was."""
        labels = []
        for row in pq.read_table(plan).to_pylist():
            if row["image_id"] in self.labelled:
                continue
            drawn = np.random.default_rng([row["seed"], *row["prompt"].encode()]).random()
            steered = dict(row["direction"]).get("gender")
            label = (
                self.missing.get(row["prompt"])
                or steered
                or ("female" if drawn < self.shares[row["prompt"]] else "male")
            )
            if label != "failed":
                self.labelled.add(row["image_id"])
                labels.append({"image_id": row["image_id"], "attribute": "gender", "label": label})
        # In parts, as actors do: what is cut short leaves some of them.
        for start in range(0, len(labels), _PART):
            self.store.write_labels("pixels", labels[start : start + _PART])
        return len(labels)

    def run(self, spec: SweepSpec, rounds: int | None = None) -> int:
        """Go on until nothing is left to decide, or so many rounds; return how many images were labelled."""
        images = 0
        for _ in itertools.count() if rounds is None else range(rounds):
            images += self.label(write_plan(spec, self.store))
            decided, refusals = decide(spec, self.store)
            if refusals or not decided:
                break
        return images


def work(root: str, data: dict, shares: dict[str, float], begun: Path) -> None:
    """Run a sweep over a world to its end, as often as it takes; `begun` appears when the work begins."""
    spec = SweepSpec.model_validate(data)
    world = World(root, shares)
    begun.touch()
    with world.store.lock():
        world.run(spec)
