"""What cannot work, or would do nothing, is said before a run starts."""

import importlib
import re
from pathlib import Path

import diffusers
import pytest
import torch

from fairsweep.errors import SpecError
from fairsweep.guidance import fair_guidance, toward
from fairsweep.plan import possible
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
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
    [({"warmup_steps": 5}, 4), ({"warmup_steps": 2, "cooldown_steps": 2, "momentum_scale": 0}, 4)],
)
def test_a_setting_that_steers_no_step_is_refused(tmp_path, guidance, steps):
    with pytest.raises(
        SpecError, match=rf"setting fair.* steers no step of model tiny: warm-up \d of {steps} steps: give"
    ):
        plan(tmp_path, guidance, steps=steps)
    assert not list((tmp_path / "store").rglob("*.parquet"))
    plan(tmp_path, guidance | {"warmup_steps": 0}, steps=steps)


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
