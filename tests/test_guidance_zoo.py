"""Many real classes, steered without a family file: docs/models.md lists what is shown here."""

import re
from pathlib import Path

import diffusers
import pytest
import torch
from PIL import Image

from fairsweep.errors import FairsweepError
from fairsweep.families import REFUSED
from fairsweep.guidance import Concept, Edit, fair_guidance
from support import zoo
from support.tiny import relative

# As many words each: what pads a batch to its longest prompt makes an image depend on its batch mates.
PROMPTS = ["a photo of a nurse", "a photo of a teacher", "a photo of a doctor"]
OTHER = "old person"
PICTURES = {"image": Image.new("RGB", (32, 32), "red"), "mask_image": Image.new("L", (32, 32), 255)}
EDITS = [
    Edit(
        (
            Concept("female person", scale=6.0, threshold=0.6, warmup_steps=1),
            Concept("male", reverse=True, threshold=0.33, warmup_steps=0, cooldown_steps=2),
        ),
        momentum_scale=0.3,
    ),
    None,
    Edit((Concept("the face of an old person", scale=9.0, threshold=0.5, warmup_steps=2),), momentum_scale=0.0),
]
# What a few words move, of the largest latent: random weights hear little.
MOVED = 1e-4


def run(pipe, name, which=(0,), scale=4.0, steps=4, prompts=None, **more):
    """Return latents; scale: of classifier-free guidance, None without it."""
    call = zoo.ZOO[name][1] | {key: [PICTURES[key]] * len(which) for key in zoo.PICTURES.get(name, ())}
    if name == "QwenImagePipeline":
        call |= {} if scale is None else {"true_cfg_scale": scale, "negative_prompt": [""] * len(which)}
    elif name == "HunyuanImagePipeline":
        pipe.guider.guidance_scale = pipe.ocr_guider.guidance_scale = scale or 1.0
    else:
        call["guidance_scale"] = zoo.UNGUIDED.get(name, 1.0) if scale is None else scale
    return pipe(
        prompt=prompts or [PROMPTS[i] for i in which],
        generator=[torch.Generator().manual_seed(i) for i in which],
        num_inference_steps=steps,
        output_type="latent",
        **call,
        **more,
    ).images


def toward_all(text: str, scale: float) -> list[Edit]:
    """Return the edit of one image toward a text, whole: no threshold, no warm-up, no momentum."""
    return [Edit((Concept(text, scale=scale, threshold=0.0, warmup_steps=0),), momentum_scale=0.0)]


@pytest.fixture(scope="module", params=[name for name in zoo.ZOO if name not in REFUSED])
def named(request):
    return request.param, zoo.build(request.param)


def test_one_step_is_the_formula(named):
    """In one step latents are linear in the prediction: the edit is what stock calls with the concept as prompt say."""
    name, pipe = named
    # LCM runs without a second branch, Qwen-Image rescales its two; Lumina's empty condition is no prompt: a prompt
    # comes with the system's instruction.
    ways = {"LatentConsistencyModelPipeline": [None], "QwenImagePipeline": [None], "Lumina2Pipeline": [4.0]}
    ways["Flux2Pipeline"] = [None]
    for scale in ways.get(name, [4.0, None]):
        with fair_guidance(pipe, toward_all(OTHER, 3.0)):
            guided = run(pipe, name, scale=scale, steps=1)
        stock = run(pipe, name, scale=scale, steps=1)
        concept, base = (
            {"scale": scale and 7.0, "prompts": [OTHER]},
            {"scale": scale, "prompts": [OTHER if scale else ""]},
        )
        direction = run(pipe, name, steps=1, **concept) - run(pipe, name, steps=1, **base)
        if scale:
            direction = direction / (7.0 - scale)
        assert relative(guided, stock) > MOVED
        assert relative(guided - stock, 3.0 * direction) < 2e-2
        assert relative(guided, stock + 3.0 * direction) < 2e-6


@pytest.mark.parametrize("name", ["HunyuanImagePipeline", "LongCatImagePipeline"])
@pytest.mark.parametrize("prompt", ["a photo of a nurse", 'a photo of a "nurse"'])
def test_quoted_words_of_a_concept_are_encoded_as_a_prompts(name, prompt):
    """An encoder of letters, or letter by letter: one step is what stock calls with the concept as the prompt say."""
    pipe, quoted = zoo.build(name), "an 'old' person"
    with fair_guidance(pipe, toward_all(quoted, 3.0)):
        guided = run(pipe, name, prompts=[prompt], steps=1)
    with fair_guidance(pipe, toward_all("an old person", 3.0)):
        plain = run(pipe, name, prompts=[prompt], steps=1)
    stock = run(pipe, name, prompts=[prompt], steps=1)
    direction = (
        run(pipe, name, prompts=[quoted], scale=7.0, steps=1) - run(pipe, name, prompts=[quoted], steps=1)
    ) / 3.0
    assert relative(guided - stock, 3.0 * direction) < 2e-2
    assert relative(guided, plain) > MOVED


@pytest.mark.parametrize("name", ["ChromaPipeline", "CogView4Pipeline"])
def test_a_negative_prompt_that_is_the_prompt_is_compared_with_all_the_same(name):
    """Pipelines of a call for each branch: where both say the same, the other one is no less the other one."""
    pipe, same = zoo.build(name), {"steps": 1, "negative_prompt": [PROMPTS[0]]}
    with fair_guidance(pipe, toward_all(OTHER, 3.0)):
        guided = run(pipe, name, **same)
    stock = run(pipe, name, **same)
    strong, weak = (run(pipe, name, prompts=[OTHER], scale=scale, **same) for scale in (7.0, 4.0))
    assert relative(guided, stock) > MOVED
    assert relative(guided, stock + strong - weak) < 2e-6


def test_mixed_batches_and_stock_images(named):
    """Unguided images are the stock pipeline's to the bit; each image of a mixed batch is as it is alone."""
    name, pipe = named
    stock = run(pipe, name, (0, 1, 2))
    with fair_guidance(pipe, [None] * 3):
        assert torch.equal(run(pipe, name, (0, 1, 2)), stock)
    with fair_guidance(pipe, EDITS):
        together = run(pipe, name, (0, 1, 2))
    assert torch.equal(together[1], stock[1])
    assert all(relative(together[i], stock[i]) > MOVED for i in (0, 2))
    for i, edit in enumerate(EDITS):
        with fair_guidance(pipe, [edit]):
            assert relative(run(pipe, name, (i,))[0], together[i]) < 3e-5


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_would_be_wrong_in_silence_is_refused(name):
    bare = getattr(diffusers, name).__new__(getattr(diffusers, name))
    with (
        pytest.raises(FairsweepError, match=f"{name} {REFUSED[name]}: it cannot be guided"),
        fair_guidance(bare, toward_all(OTHER, 3.0)),
    ):
        pass


def test_docs_list_what_is_shown():
    """A row of docs/models.md for every class of the zoo, and for those that are refused."""
    text = (Path(__file__).parent.parent / "docs" / "models.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)`", text, re.M))
    assert rows >= {*zoo.ZOO, *REFUSED}
    assert all(hasattr(diffusers, name) for name in rows)
