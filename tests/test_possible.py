"""What cannot work, or would do nothing, is said before a run starts."""

import importlib
import re
from pathlib import Path

import diffusers
import pytest
import torch
import yaml
from pydantic import ValidationError

from fairsweep import cli
from fairsweep.errors import FairsweepError, SpecError
from fairsweep.guidance import Concept, Conditioning, fair_guidance, toward
from fairsweep.methods.fair import FairParams
from fairsweep.plan import estimate, possible
from fairsweep.plan.identity import begin, finish
from fairsweep.plan.plan import write_plan
from fairsweep.spec import ModelSpec, SweepSpec
from fairsweep.store import Store
from support import tiny
from support.specs import small_sweep


def plan(folder, guidance=None, run=None, **model) -> None:
    data = small_sweep(folder / "model")
    data["models"][0] |= model
    data["guidance"][1] |= guidance or {}
    data["run"] |= run or {}
    write_plan(SweepSpec.model_validate(data), Store(folder / "store"))


@pytest.mark.parametrize(
    ("guidance", "steps"),
    [
        ({"warmup_steps": 5}, 4),
        ({"warmup_steps": 2, "cooldown_steps": 2, "momentum_scale": 0}, 4),
        ({"warmup_steps": 0.9}, 4),
        ({"warmup_steps": 0.2, "cooldown_steps": 0.3, "momentum_scale": 0}, 4),
    ],
)
def test_a_setting_that_steers_no_step_is_refused(tmp_path, guidance, steps):
    with pytest.raises(
        SpecError, match=rf"setting fair.* steers no step of model tiny: warm-up \d of {steps} steps: give"
    ):
        plan(tmp_path, guidance, steps=steps)
    assert not list((tmp_path / "store").rglob("*.parquet"))
    plan(tmp_path, guidance | {"warmup_steps": 0}, steps=steps)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"scheduler": "DDIMSchedular"}, "no scheduler 'DDIMSchedular' in diffusers; did you mean 'DDIMScheduler'"),
        ({"pipeline": "FluxPipline"}, "do not know the pipeline FluxPipline; did you mean 'FluxPipeline'"),
        ({"pipeline": "SanaSprintPipeline"}, "SanaSprintPipeline mixes the latents into the denoiser's output"),
        ({"source": "{folder}"}, "do not know the pipeline MarigoldDepthPipeline"),
        ({"steps": 4, "source": "{folder}/none"}, "setting fair steers no step of model tiny"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_commands_say_it_before_anything_starts(tmp_path, capsys, monkeypatch, command, model, reason):
    """Without a weight, a cluster or a store: no such folder is there, or only its index."""
    (tmp_path / "model_index.json").write_text('{"_class_name": "MarigoldDepthPipeline"}')
    data = small_sweep(tmp_path / "absent")
    data["models"][0] |= {key: str(value).format(folder=tmp_path) for key, value in model.items()}
    data["guidance"][1]["warmup_steps"] = 5 if "none" in str(model) else 0
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(data))
    monkeypatch.setattr("ray.init", lambda **_: pytest.fail("Ray was started"))
    assert cli.run([command, str(tmp_path / "spec.yaml"), "--store", str(tmp_path / "store")]) == 2
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.parquet"))


def test_fractions_are_steps():
    """A fraction of the steps is the nearest count, with its pixels and its id."""
    pipe, latents = tiny.build_sd(), []
    settings = [{"warmup_steps": 0.25, "cooldown_steps": 0.6}, {"warmup_steps": 2, "cooldown_steps": 5}]
    edits = [toward("female person", scale=8.0, threshold=0.0, momentum_scale=0.0, **each) for each in settings]
    for edit in edits:
        with fair_guidance(pipe, [edit]):
            call = {"num_inference_steps": 8, "output_type": "latent", "generator": torch.Generator().manual_seed(0)}
            latents.append(pipe("a nurse", **call).images)
    assert torch.equal(*latents)
    model = ModelSpec(name="m", source="a/b", steps=8)
    asked = [Conditioning("a nurse", edit=edit).counted(8) for edit in edits]
    assert asked[0] == asked[1] and finish(begin(model, asked[0]), 1) == finish(begin(model, asked[1]), 1)
    assert estimate.rows_per_image(Conditioning("a nurse", edit=edits[0]), 8, 7.0) == 8 * 2 + 3


@pytest.mark.parametrize("steps", [-1, 2.5, float("nan"), True])
def test_what_counts_no_steps_is_refused(steps):
    with pytest.raises(FairsweepError, match=r"warmup_steps .* is no number of steps: give whole steps from 0 on, or"):
        Concept("female person", warmup_steps=steps)
    if steps == 2.5:
        with pytest.raises(ValidationError, match=r"2\.5 is no number of steps"):
            FairParams(cooldown_steps=steps)


@pytest.mark.parametrize("warmup", [2, 3])
@pytest.mark.parametrize("cooldown", [None, 2, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_what_acts_is_what_moves_an_image(warmup, cooldown, momentum):
    """Against real images of three steps."""
    pipe = tiny.build_sd()
    edit = toward(
        "female person", scale=8.0, threshold=0.0, warmup_steps=warmup, cooldown_steps=cooldown, momentum_scale=momentum
    )
    images = []
    for edits in ([None], [edit]):
        with fair_guidance(pipe, edits):
            latents = pipe(
                "a nurse", num_inference_steps=3, output_type="latent", generator=torch.Generator().manual_seed(0)
            ).images
        images.append(latents)
    assert possible.acts(edit, 3) == bool((images[0] != images[1]).any())


def test_a_schedulers_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(possible, "find_spec", lambda name: None)
    match = "model tiny: DPMSolverSDEScheduler needs the package torchsde: pip install torchsde, or take another"
    with pytest.raises(SpecError, match=match):
        plan(tmp_path, scheduler="DPMSolverSDEScheduler")
    plan(tmp_path, scheduler="EulerDiscreteScheduler")
    plan(tmp_path, scheduler="DPMSolverSDEScheduler", run={"runtime_env": {"pip": ["torchsde"]}})


def test_the_table_of_packages_is_diffusers():
    """Every scheduler that diffusers replaces by an empty class where a package is missing, and no other."""
    utils = Path(diffusers.__file__).parent / "utils"
    table = {}
    for file in utils.glob("dummy_torch_and_*_objects.py"):
        module = importlib.import_module(f"diffusers.utils.{file.stem}")
        for name in re.findall(r"^class (\w+Scheduler)\b", file.read_text(encoding="utf-8"), re.M):
            packages = [package for package in getattr(module, name)._backends if package != "torch"]
            table[name] = packages[0]
    assert table == possible.EXTRA_PACKAGES
