"""What a sweep will take, told before it has run."""

import pytest
import torch

from fairsweep.guidance import Conditioning, toward
from fairsweep.guidance.concepts import Concept, Edit
from fairsweep.guidance.steering import guide
from fairsweep.plan.estimate import estimate, rates, rows_by_cell, rows_per_image
from fairsweep.spec import SweepSpec
from support import tiny

EDITS = {
    "no edit": None,
    "a pair from the first step": toward("female person", "male person"),
    "concepts that serve two steps": toward("female person", "male person", concepts_every=2),
    "until a cool-down": toward("female person", "male person", cooldown_steps=3),
    "no row during a warm-up without momentum": toward("female person", "male person", momentum_scale=0.0),
    "a concept that does nothing": Edit((Concept("old person", scale=0.0), Concept("young person", weight=0.5))),
}


@pytest.fixture(scope="module")
def pipe():
    return tiny.build_sd()


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
@pytest.mark.parametrize("name", EDITS)
def test_rows_are_those_that_the_denoiser_computes(pipe, name, guidance_scale):
    steps, edit, rows = 7, EDITS[name], []

    def draw():
        with guide(pipe, [edit]), torch.inference_mode():
            pipe("a nurse", num_inference_steps=steps, guidance_scale=guidance_scale, width=32, height=32)

    draw()  # a pipeline's first guided call has the row of a trial
    hook = pipe.unet.register_forward_pre_hook(
        lambda _, args, kwargs: rows.append(len(kwargs["sample"] if "sample" in kwargs else args[0])), with_kwargs=True
    )
    draw()
    hook.remove()
    assert rows_per_image(Conditioning("a nurse", edit=edit), steps, guidance_scale) == sum(rows)


def test_time_follows_from_rows_and_a_rate(tiny_data):
    rows = rows_by_cell(SweepSpec.model_validate(tiny_data))
    # Two steps; without guidance two rows each, under fair guidance a pair of concepts per attribute more.
    assert rows == {("tiny", "none"): 4, ("tiny", "fair"): 12}
    speeds = rates(rows, [("tiny", "none", 10, 0.2), ("tiny", "fair", 5, 1.0), ("gone", "none", 9, 9.0)])
    assert speeds == {"tiny": (10 * 4 + 5 * 12) / (10 * 0.2 + 5 * 1.0)}
    missing = {("tiny", "none"): 100, ("tiny", "fair"): 50}
    work = estimate(rows, missing, {"tiny": 20.0}, rate=None)
    assert (work.rows, work.seconds, work.unknown) == (1000, 50.0, ())
    # One image under guidance; of cells that lack none, none counts.
    assert work.longest == 12 / 20
    assert estimate(rows, {("tiny", "none"): 100, ("tiny", "fair"): 0}, {"tiny": 20.0}, rate=None).longest == 4 / 20
    assert estimate(rows, missing, {}, rate=100.0).seconds == 10.0
    # A rate that was measured here is better than one from elsewhere.
    assert estimate(rows, missing, {"tiny": 20.0}, rate=100.0).seconds == 50.0
    assert estimate(rows, missing, {}, rate=None).unknown == ("tiny",)
    assert estimate(rows, {("tiny", "none"): 0}, {}, rate=None).seconds == 0.0
