"""What sweeps ask of the zoo's pipelines, each loaded from a folder as an actor does."""

import torch

from fairsweep.families import FAMILIES
from fairsweep.guidance import Conditioning, toward
from fairsweep.pipelines import load
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.spec import ModelSpec
from support import zoo

NAMES = [name for name in zoo.ZOO if name in FAMILIES]
# Of several lengths: what pads the prompts of a call to the longest would make images depend on their batch mates.
PROMPTS = ["a nurse", "a photo of the face of a teacher with a person", "a photo of a doctor", "a teacher"]
SEEDS = [3, 4, 5, 6]
# Without a threshold: a value on the edge of one falls to either side by rounding alone.
_STRONG = {"scale": 20.0, "threshold": 0.0, "warmup_steps": 0.25}
EDITS = [None, toward("female person", "male person", **_STRONG), None, toward("old person", **_STRONG)]


def load_from(folder, name: str, device: str, **options) -> Pipeline:
    """Load a class of the zoo that `save_pretrained` wrote; options: of its ModelSpec."""
    side = zoo.ZOO[name][1]["width"]
    size = {"width": side, "height": side}
    pipeline = load(ModelSpec(name="m", source=str(folder), steps=4, guidance_scale=4.0, **size, **options), device)
    zoo.shortened(pipeline.pipe)
    return pipeline


def latents(pipeline: Pipeline, places, edits=EDITS) -> torch.Tensor:
    """Return the latents of the prompts at these places, each with its seed and edit."""
    asked = [Conditioning(PROMPTS[place], edit=edits[place]) for place in places]
    return pipeline.denoise(asked, [SEEDS[place] for place in places])
