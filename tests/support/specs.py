"""Specs of small sweeps, as data."""

from pathlib import Path


def small_sweep(model: Path) -> dict:
    """Return a spec's data: one model, two prompts, unguided and fair, four seeds."""
    return {
        "name": "tiny",
        "models": [{"name": "tiny", "source": str(model), "steps": 2, "guidance_scale": 3}],
        "prompts": {
            "template": "a photo of the face of a {occupation}",
            "variables": {"occupation": ["nurse", "doctor"]},
        },
        "attributes": {
            "gender": {"groups": {"female": "female person", "male": "male person"}},
            "age": {"groups": {"young": "young person", "old": "old person"}},
        },
        "guidance": [{"method": "none"}, {"method": "fair", "warmup_steps": 0}],
        "classifiers": [{"name": "pixels", "kind": "pixels:Pixels"}],
        "seeds": 4,
        "run": {"batch_size": 4, "actors": 1, "cpus_per_actor": 1},
    }
