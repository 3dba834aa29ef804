"""Qwen-Image-Edit encodes each prompt together with its picture: each image has a call of its own, guided or not."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from fairsweep.errors import FairsweepError
from fairsweep.guidance import Conditioning, fair_guidance, toward
from fairsweep.pipelines import load
from fairsweep.spec import ModelSpec
from support import zoo
from support.editors import noise, qwen_edit, qwen_edit_plus, small_areas
from support.tiny import relative

PROMPTS = ["a photo of a nurse", "a firefighter", "a photo of a nurse"]
STRONG = {"scale": 20.0, "threshold": 0.5, "warmup_steps": 1}
EDITS = [None, toward("female person", "male person", **STRONG), None]
NEGATIVES = ["", "", "a dark person"]
SEEDS = [3, 4, 5]
# More tokens of the image than of its source, which is square.
SIZE = {"width": 48, "height": 32}


@pytest.fixture(params=[qwen_edit, qwen_edit_plus])
def build(request, monkeypatch):
    small_areas(monkeypatch)
    torch.manual_seed(0)
    return request.param


def picture_of(seed):
    return noise(seed, (48, 32))


def drawn(pipe, prompt, picture, seed, edit=None, scale=1.0, negative=None, steps=4, **more):
    """Return what one call by hand makes of one picture: latents, unless `more` says otherwise."""
    with fair_guidance(pipe, [edit]) if edit else nullcontext():
        return pipe(
            image=picture,
            prompt=prompt,
            negative_prompt=negative,
            true_cfg_scale=scale,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(seed),
            **SIZE,
            **{"output_type": "latent"} | more,
        ).images


def test_a_batch_is_calls_by_hand(build, tmp_path):
    """Loaded from a folder as an actor does: each image is its own call's, unguided ones are to the bit."""
    build().save_pretrained(tmp_path)
    model = ModelSpec(name="tiny", source=str(tmp_path), steps=4, guidance_scale=5.0, **SIZE)
    pipeline = load(model, "cpu", edits=True)
    stock = zoo.shortened(type(pipeline.pipe).from_pretrained(tmp_path))
    for pipe in (zoo.shortened(pipeline.pipe), stock):
        pipe.set_progress_bar_config(disable=True)
    pictures = [picture_of(seed) for seed in (1, 2, 3)]
    asked = [
        Conditioning(prompt, negative, edit) for prompt, negative, edit in zip(PROMPTS, NEGATIVES, EDITS, strict=True)
    ]
    together = pipeline.denoise(asked, SEEDS, pictures)
    for number, edit in enumerate(EDITS):
        own = PROMPTS[number], pictures[number], SEEDS[number]
        by_hand = drawn(stock, *own, edit, 5.0, NEGATIVES[number])[0]
        assert torch.equal(together[number], by_hand) if edit is None else relative(together[number], by_hand) < 1e-5
        alone = pipeline.denoise([asked[number]], [SEEDS[number]], [pictures[number]])[0]
        assert relative(together[number], alone) < 1e-5
    other = pipeline.denoise(asked[:1], SEEDS[:1], [picture_of(9)])
    assert relative(other[0], together[0]) > 1e-3
    unguided = drawn(stock, PROMPTS[1], pictures[1], SEEDS[1], None, 5.0, "")[0]
    assert relative(together[1], unguided) > 0.01
    decoded = np.asarray(pipeline.decode(together[1:2])[0], dtype=int)
    (wanted,) = drawn(stock, PROMPTS[1], pictures[1], SEEDS[1], EDITS[1], 5.0, "", output_type="pil")
    assert abs(decoded - np.asarray(wanted, dtype=int)).max() <= 1


@pytest.mark.parametrize(("scale", "negative"), [(1.0, None), (4.0, ""), (4.0, "a dark person")])
def test_one_step_is_the_formula(build, scale, negative):
    """The edit is a concept's prediction less what it is compared with, as stock calls with those prompts make them."""
    pipe = build()
    pipe.set_progress_bar_config(disable=True)
    edit = toward("old person", scale=3.0, threshold=0.0, warmup_steps=0, momentum_scale=0.0)

    def one_step(prompt, picture, edit=None, scale=1.0, negative=None):
        return drawn(pipe, prompt, picture, 1, edit, scale, negative, steps=1)

    directions = []
    for picture in (picture_of(1), picture_of(2)):
        # Without a second branch it is the empty prompt's.
        directions.append(3.0 * (one_step("old person", picture) - one_step(negative or "", picture)))
        guided, stock = (one_step("a nurse", picture, each, scale, negative) for each in (edit, None))
        assert relative(guided - stock, directions[-1]) < 1e-3
        assert relative(guided, stock) > 1e-3
    # What a concept says depends on the picture.
    assert relative(directions[0], directions[1]) > 0.01


def test_several_source_pictures_of_one_image_are_told_with_its_concepts(monkeypatch):
    """The Plus pipeline takes several by hand: one step is the formula."""
    small_areas(monkeypatch)
    torch.manual_seed(0)
    pipe, pictures = qwen_edit_plus(), [picture_of(1), picture_of(2)]
    pipe.set_progress_bar_config(disable=True)
    edit = toward("old person", scale=3.0, threshold=0.0, warmup_steps=0, momentum_scale=0.0)
    old, empty, guided, stock = (
        drawn(pipe, prompt, pictures, 1, each, steps=1)
        for prompt, each in (("old person", None), ("", None), ("a nurse", edit), ("a nurse", None))
    )
    assert relative(guided - stock, 3.0 * (old - empty)) < 1e-3


def test_guided_calls_of_several_images_are_refused(build):
    """By hand: each concept would be another for each picture."""
    pipe = build()
    line = f"{type(pipe).__name__} encodes each prompt and concept together with its picture: guide one image a call"
    with pytest.raises(FairsweepError, match=line), fair_guidance(pipe, [None, EDITS[1]]):
        pass
